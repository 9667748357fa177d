// SPDX-License-Identifier: GPL-2.0-or-later
// What intune-session-program.ts is asked for, and what it answers.

/** Of alice's container. */
export const UID_BASE = 0x4100_0000;

export type Request =
    | {
          readonly verb: 'provision';
          readonly rootfs: string;
          readonly password: string | null;
          /** Root directory that it is kept from, or null. */
          readonly keepFrom: string | null;
      }
    | {
          readonly verb: 'open';
          readonly application: string;
          readonly args: readonly string[];
          readonly activationToken?: string;
      }
    | {
          readonly verb: 'run';
          readonly command: readonly string[];
          readonly pipes: string;
          readonly isTerminal: boolean;
      }
    | {readonly verb: 'inspect'};

export interface Outcome {
    readonly result: unknown;
    readonly error: readonly [code: string, text: string] | null;
    /** Milliseconds. */
    readonly took: number;
}
