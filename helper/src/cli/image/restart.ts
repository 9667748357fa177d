// SPDX-License-Identifier: GPL-2.0-or-later
// A restart is asked of logind by who runs snowctl, and not done by the service.

import {BusError} from '../../host/dbus.ts';
import {SnowError} from '../../host/error.ts';
import type {ServiceClient} from '../client.ts';

export type RestartKind = 'reboot' | 'soft-reboot';

const LOGIND = {
    destination: 'org.freedesktop.login1',
    path: '/org/freedesktop/login1',
    interface: 'org.freedesktop.login1.Manager',
};
/** Without the firmware where a next root is set up; as usual otherwise. org.freedesktop.login1(5) */
const SOFT_REBOOT_IF_NEXTROOT_SET_UP = 0x08n;

/** Throws SnowError NotAuthorized, NotSupported, Failed. */
export async function restart(
    client: ServiceClient,
    kind: RestartKind,
    mayAskPassword: boolean,
): Promise<void> {
    const call =
        kind === 'reboot'
            ? {member: 'Reboot', signature: 'b', body: [mayAskPassword]}
            : {
                  member: 'RebootWithFlags',
                  signature: 't',
                  body: [SOFT_REBOOT_IF_NEXTROOT_SET_UP],
              };
    try {
        await client.callOther({...LOGIND, ...call});
    } catch (error) {
        throw restartError(error);
    }
}

function restartError(error: unknown): SnowError {
    const why = error instanceof Error ? error.message : String(error);
    const name = error instanceof BusError ? error.errorName : '';
    const code = /\.(AccessDenied|AuthFailed|InteractiveAuthorizationRequired)$/.test(name)
        ? 'NotAuthorized'
        : /\.(ServiceUnknown|NameHasNoOwner|UnknownMethod)$/.test(name)
          ? 'NotSupported'
          : 'Failed';
    return new SnowError(code, `The system is not restarted: ${why}`, {cause: error});
}
