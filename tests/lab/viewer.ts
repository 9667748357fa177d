// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {type IncomingMessage, type ServerResponse, createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';

import type {Desktop} from './desktop.ts';

type Input =
    | {readonly do: 'click'; readonly x: number; readonly y: number}
    | {readonly do: 'type'; readonly text: string}
    | {readonly do: 'key'; readonly name: string};

/** A page for any browser that shows the desktop and passes clicks and keys on to it. On the loopback only. */
export async function viewDesktop(desktop: Desktop): Promise<{url: string} & AsyncDisposable> {
    const work = await mkdtemp(join(tmpdir(), 'viewer-'));
    const image = join(work, 'screen.png');
    const handle = async (request: IncomingMessage, response: ServerResponse) => {
        if (request.method === 'POST') {
            // a foreign page cannot send this type without asking first
            if (request.headers['content-type'] !== 'application/json') {
                response.writeHead(415).end();
                return;
            }
            await pass(desktop, JSON.parse(await text(request)) as Input);
            response.writeHead(204).end();
        } else if (request.url?.startsWith('/screen.png')) {
            const png = await readFile(await desktop.screenshot(image));
            response.writeHead(200, {'Content-Type': 'image/png', 'Cache-Control': 'no-store'});
            response.end(png);
        } else {
            response.writeHead(200, {'Content-Type': 'text/html; charset=utf-8'});
            response.end(page);
        }
    };
    // one after the other: the shell takes one screenshot at a time
    let queue = Promise.resolve();
    const server = createServer((request, response) => {
        queue = queue
            .then(() => handle(request, response))
            .catch((error: unknown) => {
                if (!response.headersSent) response.writeHead(500);
                response.end(String(error));
            });
    });
    server.listen(Number(process.env['SNOW_LAB_VIEWER_PORT'] ?? 8480), '127.0.0.1');
    await once(server, 'listening');
    return {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        async [Symbol.asyncDispose]() {
            server.closeAllConnections();
            server.close();
            await rm(work, {recursive: true, force: true});
        },
    };
}

async function pass(desktop: Desktop, input: Input) {
    if (input.do === 'click') await desktop.clickAt(input.x, input.y);
    else if (input.do === 'type') await desktop.type(input.text);
    else await desktop.key(input.name);
}

const page = `<!doctype html>
<title>Snow Control: the demo desktop</title>
<style>body {margin: 0; background: #222} img {display: block; margin: auto; cursor: none}</style>
<img id="screen" src="/screen.png" alt="The desktop">
<script>
const screen = document.getElementById('screen');
const send = input => fetch('/', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(input)});
const reload = () => { screen.src = '/screen.png?' + Date.now(); };
screen.onload = () => setTimeout(reload, 300);
screen.onerror = () => setTimeout(reload, 2000);
screen.onclick = event => send({do: 'click', x: event.offsetX, y: event.offsetY});
const keys = {Enter: 'Return', Escape: 'Escape', Backspace: 'BackSpace', Tab: 'Tab', ArrowUp: 'Up', ArrowDown: 'Down', ArrowLeft: 'Left', ArrowRight: 'Right', Meta: 'Super_L'};
onkeydown = event => {
    if (event.ctrlKey || event.altKey) return;
    if (keys[event.key]) send({do: 'key', name: keys[event.key]});
    else if ([...event.key].length === 1) send({do: 'type', text: event.key});
    else return;
    event.preventDefault();
};
</script>
`;
