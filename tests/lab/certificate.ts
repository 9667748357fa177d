// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';

/** A certificate of 127.0.0.1 that signs itself, for `serveRepository({tls})`; clients trust it by NODE_EXTRA_CA_CERTS. */
export async function makeCertificate(): Promise<{readonly key: string; readonly cert: string}> {
    const work = await mkdtemp(join(tmpdir(), 'cert-'));
    try {
        const [key, cert] = [join(work, 'key.pem'), join(work, 'cert.pem')];
        await execa('openssl', [
            ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
            ...['-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
            ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
            ...['-keyout', key, '-out', cert],
        ]);
        return {key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8')};
    } finally {
        await rm(work, {recursive: true, force: true});
    }
}
