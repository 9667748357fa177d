// SPDX-License-Identifier: GPL-2.0-or-later
// A registry in a guest of the tree `container`, for the real podman and skopeo there: what is named
// ghcr.io comes from it.

import type {Guest} from '../../guest.ts';
import type {GuestFile} from '../../scratch.ts';

const ADDRESS = '127.0.0.1:5000';

/** Nothing is accepted of the one, and nothing without a signature of the other. */
export const REFUSED = 'ghcr.io/frostyard/refused:latest';
export const UNSIGNED = 'ghcr.io/frostyard/unsigned:latest';

const policy = {
    default: [{type: 'insecureAcceptAnything'}],
    transports: {
        docker: {
            'ghcr.io/frostyard/refused': [{type: 'reject'}],
            'ghcr.io/frostyard/unsigned': [
                {type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/hostname'},
            ],
        },
    },
};

/** What a guest has to have, for `files` of Guest.boot(). */
export const registryFiles: Readonly<Record<string, GuestFile>> = {
    '/etc/docker/registry/config.yml': `version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: "${ADDRESS}"}
`,
    '/etc/containers/registries.conf.d/lab.conf': `[[registry]]
prefix = "ghcr.io"
location = "${ADDRESS}"
insecure = true
`,
    // An overlay cannot lie on that of the guest.
    '/etc/containers/storage.conf': `[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
`,
    '/etc/containers/policy.json': JSON.stringify(policy),
};

export interface PublishedImage {
    readonly version: string;
    /** Default: that of a snow image of this version. */
    readonly osRelease?: string;
}

/** Has the registry offer an image, and returns the digest of its manifest. */
export async function publishImage(
    guest: Guest,
    reference: string,
    {version, osRelease}: PublishedImage,
): Promise<string> {
    const text =
        osRelease ??
        `ID=debian\nVERSION_ID=13\nIMAGE_ID=snow\nIMAGE_VERSION=${version}\nNAME="Snow ${version}"\n`;
    const output = await guest.check(PUBLISH, {
        env: {
            OS_RELEASE: text,
            VERSION: version,
            TARGET: reference.replace(/^ghcr\.io/, ADDRESS),
        },
    });
    return output.trim();
}

/** In a storage of its own, so that podman has nothing that it did not fetch. */
const PUBLISH = `
set -e
own() { podman --root /var/lib/lab-images --runroot /run/lab-images "$@"; }
tree=$(mktemp -d)
mkdir -p "$tree/usr/lib"
printf %s "$OS_RELEASE" >"$tree/usr/lib/os-release"
image=$(tar -C "$tree" -c . | own import --quiet --change "LABEL org.opencontainers.image.version=$VERSION" -)
own push --quiet --tls-verify=false --digestfile "$tree/digest" "$image" "docker://$TARGET" >&2
cat "$tree/digest"
rm -rf "$tree"
`;
