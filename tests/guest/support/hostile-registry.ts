// SPDX-License-Identifier: GPL-2.0-or-later
// A registry that lies, and whose images want to get out. Prints a line when it listens.

import {createHash, randomBytes} from 'node:crypto';
import {type ServerResponse, createServer} from 'node:http';
import {gzipSync} from 'node:zlib';

import {HOSTILE} from './hostile-registry-address.ts';
import {type TarEntry, makeTar} from './tar.ts';

/** What a registry does to a layer on its way. */
type Fault = 'other' | 'hangs' | 'vanishes' | 'endless';

interface HostileImage {
    readonly layers: readonly (readonly TarEntry[])[];
    readonly fault?: Fault;
    /** Of what it is compressed from, which its configuration has. */
    readonly wrongDiffId?: boolean;
    /** Bytes that the manifest claims for the last layer. */
    readonly claims?: number;
}

const release: TarEntry = {name: 'etc/os-release', content: 'ID=hostile\n'};
/** Hardly to be compressed, and the same every time. */
const ballast: TarEntry = {
    name: 'ballast',
    content: Buffer.concat(
        Array.from({length: 65_536}, (_, index) =>
            createHash('sha512').update(`${index}`).digest(),
        ),
    ),
};

/** security.capability of cap_net_raw=ep, as the kernel has it on the disk. */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const images: Readonly<Record<string, HostileImage>> = {
    honest: {
        layers: [
            [
                release,
                {name: 'removed', content: 'x'},
                {name: 'emptied/', type: '5'},
                {name: 'emptied/old', content: 'x'},
                {
                    name: 'ping',
                    content: 'ping',
                    mode: 0o755,
                    xattrs: {'security.capability': CAPABILITY},
                },
                {name: 'su', content: 'su', mode: 0o4755},
                {name: 'wall', content: 'wall', mode: 0o2755, gid: 5},
                {name: 'mine', content: 'mine', uid: 1000, gid: 1001, mode: 0o640},
                {name: 'marked', content: 'x', xattrs: {'user.mark': Buffer.from('yes')}},
                {name: 'one', content: 'one'},
                {name: 'other', type: '1', link: 'one'},
            ],
            [
                {name: '.wh.removed', content: ''},
                {name: 'emptied/.wh..wh..opq', content: ''},
                {name: 'emptied/new', content: 'x'},
            ],
        ],
    },
    links: {
        layers: [
            [
                release,
                {name: 'absolute', type: '2', link: '/etc'},
                {name: 'upwards', type: '2', link: '../../../../../../../../etc'},
            ],
            [
                {name: 'absolute/planted', content: 'x'},
                {name: 'upwards/planted', content: 'x'},
            ],
        ],
    },
    names: {
        layers: [
            [
                release,
                {name: '../../../../../etc/planted', content: 'x'},
                {name: '/etc/planted-absolute', content: 'x'},
                {name: 'a/../../../../etc/planted', content: 'x'},
            ],
        ],
    },
    'hard-link': {
        layers: [[release, {name: 'shadow', type: '1', link: '../../../../../../etc/shadow'}]],
    },
    root: {
        layers: [
            [
                {name: '.', type: '2', link: '/etc'},
                {name: 'planted', content: 'x'},
            ],
        ],
    },
    whiteouts: {
        layers: [
            [release, {name: 'up', type: '2', link: '../../../../../../var'}],
            [
                {name: '.wh...', content: ''},
                {name: 'etc/.wh...', content: ''},
                {name: 'up/.wh.lib', content: ''},
                {name: '.wh..', content: ''},
                release,
            ],
        ],
    },
    device: {layers: [[release, {name: 'disk', type: '4', device: [8, 0], mode: 0o666}]]},
    'high-ids': {layers: [[release, {name: 'far', content: 'x', uid: 70_000}]]},
    files: {
        layers: [
            [
                release,
                ...Array.from({length: 50_000}, (_, index) => ({
                    name: `many/${index % 100}/${index}`,
                    content: '',
                })),
            ],
        ],
    },
    // A file of zeros that fills any disk.
    sparse: {layers: [[release, {name: 'huge', content: Buffer.alloc(1024 * 1024 * 1024)}]]},
    'diff-id': {layers: [[release]], wrongDiffId: true},
    'no-tar': {layers: [[{name: '', raw: randomBytes(100_000)}]]},
    other: {layers: [[release, ballast]], fault: 'other'},
    hangs: {layers: [[release, ballast]], fault: 'hangs'},
    vanishes: {layers: [[release, ballast]], fault: 'vanishes'},
    endless: {layers: [[release, ballast]], fault: 'endless'},
    claims: {layers: [[release]], claims: 2 ** 40},
    needs: {layers: [[release]], claims: 60 * 1024 ** 3},
    empty: {layers: [[]]},
};

interface Served {
    readonly manifest: Buffer;
    readonly blobs: ReadonlyMap<string, Buffer>;
    readonly fault: Fault | null;
    readonly layer: string;
}

const made = new Map<string, Served>();

function serve(name: string, {layers, fault, wrongDiffId, claims}: HostileImage): Served {
    const known = made.get(name);
    if (known) return known;
    const blobs = new Map<string, Buffer>();
    const keep = (content: Buffer): {digest: string; size: number} => {
        blobs.set(digestOf(content), content);
        return {digest: digestOf(content), size: content.length};
    };
    const tars = layers.map(makeTar);
    const described = tars.map(tar => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        ...keep(gzipSync(tar, {level: 1})),
    }));
    const config = keep(
        Buffer.from(
            JSON.stringify({
                architecture: process.arch === 'x64' ? 'amd64' : process.arch,
                os: 'linux',
                config: {},
                rootfs: {
                    type: 'layers',
                    diff_ids: tars.map(tar => digestOf(wrongDiffId ? randomBytes(8) : tar)),
                },
            }),
        ),
    );
    const last = described.at(-1);
    if (last && claims !== undefined) last.size = claims;
    const manifest = Buffer.from(
        JSON.stringify({
            schemaVersion: 2,
            mediaType: 'application/vnd.oci.image.manifest.v1+json',
            config: {mediaType: 'application/vnd.oci.image.config.v1+json', ...config},
            layers: described,
        }),
    );
    const served = {manifest, blobs, fault: fault ?? null, layer: last?.digest ?? ''};
    made.set(name, served);
    return served;
}

function digestOf(content: Buffer): string {
    return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function spoil(response: ServerResponse, content: Buffer, fault: Fault): void {
    const head = {'Content-Type': 'application/octet-stream'};
    if (fault === 'other') {
        const other = Buffer.from(content);
        other[other.length - 100] = (other[other.length - 100] ?? 0) ^ 1;
        response.writeHead(200, {...head, 'Content-Length': other.length}).end(other);
    } else if (fault === 'endless') {
        const chunk = Buffer.alloc(1024 * 1024, 7);
        response.writeHead(200, head);
        const more = (): void => {
            while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', more);
        more();
    } else {
        response.writeHead(200, {...head, 'Content-Length': content.length});
        response.write(content.subarray(0, 1024 * 1024), () => {
            if (fault === 'vanishes') process.exit(0);
        });
    }
}

const [host = '', port = ''] = HOSTILE.split(':');

createServer((request, response) => {
    const [, name = '', kind, wanted = ''] =
        /^\/v2\/hostile\/([a-z-]+)\/(manifests|blobs)\/([\w:.-]+)$/.exec(request.url ?? '') ?? [];
    const image = images[name];
    if (request.url === '/v2/') {
        response.end('{}');
    } else if (!image) {
        response.writeHead(404).end();
    } else if (kind === 'manifests') {
        const {manifest} = serve(name, image);
        response
            .writeHead(200, {
                'Content-Type': 'application/vnd.oci.image.manifest.v1+json',
                'Docker-Content-Digest': digestOf(manifest),
                'Content-Length': manifest.length,
            })
            .end(request.method === 'HEAD' ? undefined : manifest);
    } else {
        const {blobs, fault, layer} = serve(name, image);
        const content = blobs.get(wanted);
        if (!content) response.writeHead(404).end();
        else if (fault && wanted === layer) spoil(response, content, fault);
        else response.writeHead(200, {'Content-Length': content.length}).end(content);
    }
}).listen(Number(port), host, () => process.stdout.write('listening\n'));
