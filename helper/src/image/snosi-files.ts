// SPDX-License-Identifier: GPL-2.0-or-later
// The two files in which snow's own scripts say what became of the last look for an update, and what
// the next boot starts. Others read them, too: the message of the day, snosi-update-status, the
// notification of the desktop. They are in memory: a reboot forgets them.

import type {Host} from '../host/host.ts';
import type {Deployment, DriverName} from './model.ts';

export const UPDATE_CHECK = '/run/snosi/update-check';
export const UPDATE_STAGED = '/run/snosi/update-staged';
const MAX_BYTES = 64 * 1024;

export const snosiOutcomes = ['current', 'staged', 'failed', 'held-rollback'] as const;
export type SnosiOutcome = (typeof snosiOutcomes)[number];

/** What is not known is empty. */
export interface UpdateCheck {
    readonly outcome: SnosiOutcome;
    /** Seconds since 1970. */
    readonly checkedAt: number;
    readonly image: string;
    readonly runningVersion: string;
    readonly remoteVersion: string;
}

export interface UpdateStaged {
    readonly image: string;
    /** What tells it from another one: the digest, or the version where there are no digests. */
    readonly identity: {readonly key: 'digest' | 'version'; readonly value: string};
    /** Seconds since 1970. */
    readonly stagedAt: number;
}

/** Null: not there, or not to be made sense of. */
export async function readUpdateCheck(host: Host): Promise<UpdateCheck | null> {
    const values = await readValues(host, UPDATE_CHECK);
    const outcome = snosiOutcomes.find(known => known === values.get('outcome'));
    const checkedAt = parseTime(values.get('checked_at'));
    if (!outcome || checkedAt === null) return null;
    return {
        outcome,
        checkedAt,
        image: values.get('image') ?? '',
        runningVersion: values.get('running_version') ?? '',
        remoteVersion: values.get('remote_version') ?? '',
    };
}

export async function writeUpdateCheck(host: Host, check: UpdateCheck): Promise<void> {
    await host.files.writeWhole(
        UPDATE_CHECK,
        lines([
            ['outcome', check.outcome],
            ['checked_at', formatTime(check.checkedAt)],
            ['image', check.image],
            ['running_version', check.runningVersion],
            ['remote_version', check.remoteVersion],
        ]),
    );
}

/** Null: not there, or not to be made sense of. */
export async function readUpdateStaged(host: Host): Promise<UpdateStaged | null> {
    const values = await readValues(host, UPDATE_STAGED);
    const digest = values.get('digest') ?? '';
    const version = values.get('version') ?? '';
    if (digest === '' && version === '') return null;
    return {
        image: values.get('image') ?? '',
        identity: digest === '' ? {key: 'version', value: version} : {key: 'digest', value: digest},
        stagedAt: parseTime(values.get('staged_at')) ?? 0,
    };
}

/**
 * Brings the file in line with what the next boot starts; null: with nothing new. What it says of
 * that image already stays as it is, so that nobody is told twice.
 */
export async function writeUpdateStaged(
    host: Host,
    driver: DriverName,
    staged: Deployment | null,
    now: number,
): Promise<void> {
    const identity = staged && identityOf(driver, staged);
    if (!identity) {
        await host.files.remove(UPDATE_STAGED);
        return;
    }
    const before = await readUpdateStaged(host).catch(() => null);
    const isSame =
        before?.image === staged.image &&
        before.identity.key === identity.key &&
        before.identity.value === identity.value &&
        before.stagedAt > 0;
    if (isSame) return;
    await host.files.writeWhole(
        UPDATE_STAGED,
        lines([
            ['image', staged.image],
            [identity.key, identity.value],
            ['staged_at', formatTime(now)],
        ]),
    );
}

function identityOf(
    driver: DriverName,
    {digest, version}: Deployment,
): UpdateStaged['identity'] | null {
    if (driver !== 'native' && digest !== null) return {key: 'digest', value: digest};
    return version === null ? null : {key: 'version', value: version};
}

/** As shell's `sed -n 's/^KEY=//p'`, of which the first counts. */
async function readValues(host: Host, path: string): Promise<ReadonlyMap<string, string>> {
    const text = (await host.files.readText(path, MAX_BYTES)) ?? '';
    const values = new Map<string, string>();
    for (const line of text.split('\n')) {
        // eslint-disable-next-line no-control-regex
        const [, key = '', value = ''] = /^([a-z_]+)=([^\x00-\x1f\x7f]*)\r?$/.exec(line) ?? [];
        if (key !== '' && !values.has(key)) values.set(key, value.trim());
    }
    return values;
}

function lines(values: readonly (readonly [key: string, value: string])[]): string {
    return values.map(([key, value]) => `${key}=${oneLine(value)}\n`).join('');
}

function oneLine(value: string): string {
    // eslint-disable-next-line no-control-regex
    return value.replace(/[\x00-\x1f\x7f]+/g, ' ');
}

/** As `date --iso-8601=seconds` writes it. */
function formatTime(seconds: number): string {
    return new Date(Math.floor(seconds) * 1000).toISOString().replace(/\.\d+Z$/, '+00:00');
}

function parseTime(text: string | undefined): number | null {
    // GNU date writes a comma before fractions, and some leave the colon of the zone out.
    const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)$/.exec(
        text ?? '',
    );
    if (!match) return null;
    const [, day = '', zone = ''] = match;
    const time = Date.parse(`${day}${zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`);
    return Number.isFinite(time) ? Math.floor(time / 1000) : null;
}
