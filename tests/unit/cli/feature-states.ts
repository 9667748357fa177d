// SPDX-License-Identifier: GPL-2.0-or-later
import type {FeatureState} from '../../../helper/src/features/state.ts';

/** A feature that is off and has nothing on disk, but for what is said of it. */
export function featureState(id: string, known: Partial<FeatureState> = {}): FeatureState {
    return {
        id,
        Name: id,
        Description: `The ${id} extension`,
        Documentation: '',
        Enabled: false,
        EnabledBy: `/usr/lib/sysupdate.${id}.d/${id}.feature`,
        Installed: '',
        Newest: '',
        Versions: [],
        Active: '',
        Component: id,
        Origin: `/usr/lib/sysupdate.${id}.d/${id}.feature`,
        Problem: '',
        transfers: [],
        warnings: [],
        waitsForRestart: false,
        ...known,
    };
}
