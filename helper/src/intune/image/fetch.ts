// SPDX-License-Identifier: GPL-2.0-or-later
// Gets the root directory of a container from a registry.

import type {Progress} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';

export interface FetchRequest {
    /** OCI reference without a transport: ghcr.io/frostyard/ubuntu-intune:latest. */
    readonly reference: string;
    /** Absolute path of the directory that is made, in one of mode 0700; nothing may be there. */
    readonly destination: string;
}

/**
 * Fetches an image and unpacks it to a new directory, which is owned by root with mode 0755 (as the
 * image has it). Whatever happens, nothing but that directory is left, and on an error not even that.
 * Throws SnowError NotSupported, Network, NotFound, NoSpace, VerificationFailed, Cancelled, Failed.
 */
export function fetchRootfs(
    _host: Host,
    _request: FetchRequest,
    _progress: Progress,
    _signal: AbortSignal,
): Promise<{readonly digest: string}> {
    return Promise.reject(new SnowError('NotSupported', 'Images cannot be fetched yet'));
}

/** Digest that a tag has in its registry now. Throws SnowError as fetchRootfs(). */
export function newestDigest(
    _host: Host,
    _reference: string,
    _signal: AbortSignal,
): Promise<string> {
    return Promise.reject(new SnowError('NotSupported', 'Registries cannot be asked yet'));
}
