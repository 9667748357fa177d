// SPDX-License-Identifier: GPL-2.0-or-later
// What `bootc status --format=json` prints, as the version at hand writes it.

import type {StandInConfiguration} from './configuration.ts';
import type {ImageSpec, StandInDeployment, State} from './machine.ts';
import type {SourceImage} from './source.ts';
import {fieldsSince, isAtLeast} from './versions.ts';

type Fields = Readonly<Record<string, unknown>>;

export function statusDocument(configuration: StandInConfiguration, state: State | null): Fields {
    const {version, store} = configuration;
    const has = (field: keyof typeof fieldsSince): boolean =>
        isAtLeast(version, fieldsSince[field]);
    const entry = (deployment: StandInDeployment | null, isDownloadOnly = false): Fields | null =>
        deployment && {
            image: image(deployment.spec, deployment),
            cachedUpdate:
                deployment === state?.booted && state.cachedUpdate
                    ? image(deployment.spec, state.cachedUpdate)
                    : null,
            incompatible: false,
            pinned: false,
            ...(has('softRebootCapable') ? {softRebootCapable: deployment.canSoftReboot} : {}),
            ...(has('downloadOnly') ? {downloadOnly: isDownloadOnly} : {}),
            ...(has('store') ? {store: store === 'ostree' ? 'ostreeContainer' : null} : {}),
            ostree:
                store === 'ostree'
                    ? {
                          stateroot: 'default',
                          checksum: deployment.checksum,
                          deploySerial: deployment.serial,
                      }
                    : null,
            ...(has('composefs')
                ? {
                      composefs:
                          store === 'composefs'
                              ? {
                                    verity: deployment.checksum,
                                    bootType: 'Bls',
                                    bootloader: 'systemd',
                                    bootDigest: deployment.checksum,
                                    missingVerityAllowed: true,
                                }
                              : null,
                  }
                : {}),
        };
    const spec = (state?.staged ?? state?.booted)?.spec ?? null;
    const isRollbackQueued = state?.isRollbackQueued ?? false;
    return {
        apiVersion: isAtLeast(version, '1.0.0')
            ? 'org.containers.bootc/v1'
            : 'org.containers.bootc/v1alpha1',
        kind: 'BootcHost',
        metadata: {name: 'host'},
        spec: {
            image: spec,
            ...(has('bootOrder') ? {bootOrder: isRollbackQueued ? 'rollback' : 'default'} : {}),
        },
        status: {
            staged: entry(state?.staged ?? null, state?.isDownloadOnly),
            booted: entry(state?.booted ?? null),
            rollback: entry(state?.rollback ?? null),
            ...(has('otherDeployments') ? {otherDeployments: []} : {}),
            ...(has('rollbackQueued') ? {rollbackQueued: isRollbackQueued} : {}),
            type: state ? 'bootcHost' : null,
            ...(has('usrOverlay') ? {usrOverlay: null} : {}),
        },
    };
}

function image(
    spec: ImageSpec,
    {digest, version, timestamp}: Pick<SourceImage, 'digest' | 'version' | 'timestamp'>,
): Fields {
    return {image: spec, version, timestamp, imageDigest: digest, architecture: 'amd64'};
}
