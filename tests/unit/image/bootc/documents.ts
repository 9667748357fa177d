// SPDX-License-Identifier: GPL-2.0-or-later
// Status documents of bootc, as versions of it write them.

export const SNOW = 'ghcr.io/frostyard/snow:latest';

export function digest(character: string): string {
    return `sha256:${character.repeat(64)}`;
}

type Fields = Readonly<Record<string, unknown>>;

export function image(version: string, transport = 'registry', reference = SNOW) {
    return {
        image: {image: reference, transport},
        version,
        timestamp: '2026-07-03T17:43:38Z',
        imageDigest: digest(version),
        architecture: 'amd64',
    };
}

/** An entry of bootc 1.16. */
export function entry(version: string, change: Fields = {}): Fields {
    return {
        image: image(version),
        cachedUpdate: null,
        incompatible: false,
        pinned: false,
        softRebootCapable: false,
        downloadOnly: false,
        store: 'ostreeContainer',
        ostree: {stateroot: 'default', checksum: version.repeat(64), deploySerial: 0},
        composefs: null,
        ...change,
    };
}

export function composefsEntry(version: string, change: Fields = {}): Fields {
    return entry(version, {
        image: image(version, 'containers-storage'),
        store: null,
        ostree: null,
        composefs: {
            verity: version.repeat(128),
            bootType: 'Uki',
            bootloader: 'systemd',
            bootDigest: null,
            missingVerityAllowed: false,
        },
        ...change,
    });
}

/** A document of bootc 1.16. */
export function document(status: Fields = {}, spec: Fields = {}): string {
    return JSON.stringify({
        apiVersion: 'org.containers.bootc/v1',
        kind: 'BootcHost',
        metadata: {name: 'host'},
        spec: {image: {image: SNOW, transport: 'registry'}, bootOrder: 'default', ...spec},
        status: {
            staged: null,
            booted: entry('1'),
            rollback: null,
            otherDeployments: [],
            rollbackQueued: false,
            type: 'bootcHost',
            usrOverlay: null,
            readOnly: false,
            ...status,
        },
    });
}

/** Of 0.1.9, before there was a rollback. */
export const oldest = JSON.stringify({
    apiVersion: 'org.containers.bootc/v1alpha1',
    kind: 'BootcHost',
    metadata: {name: 'host'},
    spec: {image: {image: SNOW, transport: 'registry', signature: 'insecure'}},
    status: {
        staged: {
            image: image('2'),
            incompatible: false,
            pinned: false,
            ostree: {checksum: 'a'.repeat(64), deploySerial: 0, stateroot: 'default'},
        },
        booted: {
            image: {...image('1'), version: null, timestamp: null},
            incompatible: false,
            pinned: true,
            ostree: {checksum: 'b'.repeat(64), deploySerial: 0, stateroot: 'default'},
        },
        rollback: null,
        isContainer: false,
    },
});

/** Of 1.1.4, with an order of boot, and nothing of what came later. */
export const old = JSON.stringify({
    apiVersion: 'org.containers.bootc/v1',
    kind: 'BootcHost',
    metadata: {name: 'host'},
    spec: {image: {image: SNOW, transport: 'registry'}, bootOrder: 'rollback'},
    status: {
        staged: null,
        booted: {
            image: image('2'),
            cachedUpdate: null,
            incompatible: false,
            pinned: false,
            store: 'ostreeContainer',
            ostree: {checksum: 'b'.repeat(64), deploySerial: 0, stateroot: 'default'},
        },
        rollback: {
            image: image('1'),
            cachedUpdate: null,
            incompatible: false,
            pinned: false,
            store: 'ostreeContainer',
            ostree: {checksum: 'a'.repeat(64), deploySerial: 0, stateroot: 'default'},
        },
        type: 'bootcHost',
    },
});

/** On a system that bootc has nothing to do with. */
export const unmanaged = JSON.stringify({
    apiVersion: 'org.containers.bootc/v1',
    kind: 'BootcHost',
    metadata: {name: 'host'},
    spec: {image: null, bootOrder: 'default'},
    status: {staged: null, booted: null, rollback: null, rollbackQueued: false, type: null},
});
