// SPDX-License-Identifier: GPL-2.0-or-later
// Follows a user's container by the signals of machined, and by those of systemd for what comes between
// its registration and its readiness, or after its end. Whoever starts or stops it, they tell.
import Gio from 'gi://Gio';

const MACHINED = 'org.freedesktop.machine1';
const SYSTEMD = 'org.freedesktop.systemd1';

/** Calls back at each change; what is returned ends it. */
export function watchMachine(
    bus: Gio.DBusConnection,
    uid: number,
    onChange: () => void,
): () => void {
    const machine = `intune-u${uid}`;
    const machineIds = ['MachineNew', 'MachineRemoved'].map(member =>
        bus.signal_subscribe(
            MACHINED,
            `${MACHINED}.Manager`,
            member,
            '/org/freedesktop/machine1',
            machine,
            Gio.DBusSignalFlags.NONE,
            onChange,
        ),
    );
    let last = '';
    const unitId = bus.signal_subscribe(
        SYSTEMD,
        'org.freedesktop.DBus.Properties',
        'PropertiesChanged',
        unitPath(`systemd-nspawn@${machine}.service`),
        `${SYSTEMD}.Unit`,
        Gio.DBusSignalFlags.NONE,
        (_bus, _sender, _path, _interface, _member, parameters) => {
            const [, changed] = parameters.recursiveUnpack() as [string, Record<string, unknown>];
            const {ActiveState: state} = changed;
            // Much else of a unit changes while it starts.
            if (typeof state !== 'string' || state === last) return;
            last = state;
            onChange();
        },
    );
    return () => {
        for (const id of [...machineIds, unitId]) bus.signal_unsubscribe(id);
    };
}

/** As sd_bus_path_encode(3) escapes; the name begins with a letter. */
function unitPath(name: string): string {
    const escaped = name.replace(
        /[^A-Za-z0-9]/g,
        character => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
    return `/org/freedesktop/systemd1/unit/${escaped}`;
}
