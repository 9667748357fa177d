// SPDX-License-Identifier: GPL-2.0-or-later
// Makes dist/: the extension, snowd and snowctl; --programs: not the extension; --extension: nothing
// but it; --lab: the programs of tests/lab and bench, too; --generate-only: just the code from
// interfaces/*.xml.
import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {chmod, cp, mkdir, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {promisify} from 'node:util';

import {build} from 'esbuild';
import {XMLParser} from 'fast-xml-parser';

import {programOptions} from './helper/bundle.mjs';

const run = promisify(execFile);
const {version} = JSON.parse(await readFile('package.json', 'utf8'));
const flags = new Set(process.argv.slice(2));

/** D-Bus signatures as they show in the generated types; 64-bit numbers are safe integers here. */
const tsTypes = {
    s: 'string',
    o: 'string',
    b: 'boolean',
    u: 'number',
    x: 'number',
    t: 'number',
    d: 'number',
    as: 'readonly string[]',
    ao: 'readonly string[]',
    '(ss)': 'readonly [string, string]',
    'a{sv}': 'Readonly<Record<string, unknown>>',
    'aa{sv}': 'readonly Readonly<Record<string, unknown>>[]',
};

/** Of helper/src/main. */
const PROGRAMS = [
    'snowd',
    'snowctl',
    'snow-broker',
    'snow-image-job',
    'snow-intune-job',
    'snow-intune-prepare',
    'snow-next-boot',
    'snow-smart-cards',
    'snow-sso-host',
];

const HEADER =
    '// SPDX-License-Identifier: GPL-2.0-or-later\n// Made by build.mjs from interfaces/*.xml.\n\n';

await generateInterfaces();
if (flags.has('--extension')) {
    await buildExtension();
} else if (!flags.has('--generate-only')) {
    await rm('dist', {recursive: true, force: true});
    await Promise.all([
        buildPrograms(),
        buildDocuments(),
        flags.has('--programs') || buildExtension(),
    ]);
    if (flags.has('--lab')) await buildLab();
}

/** interfaces/*.xml to tables and types for the service, and to XML strings for the shell. */
async function generateInterfaces() {
    const parser = new XMLParser({
        ignoreAttributes: false,
        attributeNamePrefix: '',
        isArray: name => ['method', 'property', 'signal', 'arg', 'annotation'].includes(name),
    });
    const tables = [];
    const sources = {};
    const types = [];
    for (const file of (await readdir('interfaces')).sort()) {
        const xml = await readFile(`interfaces/${file}`, 'utf8');
        const {name, method = [], property = [], signal = []} = parser.parse(xml).node.interface;
        if (!name.startsWith('org.frostyard.')) {
            await generateForeign(name, method, xml);
            continue;
        }
        const short = name.slice(name.lastIndexOf('.') + 1);
        sources[short] = bare(xml);
        tables.push({
            name,
            short,
            methods: method.map(describeMethod),
            properties: property,
            signals: signal.map(describeSignal),
        });
        types.push(interfaceType(short, method.map(describeMethod), property));
    }

    const table = tables
        .map(({name, short, methods, properties, signals}) => {
            const value = {
                name,
                methods: Object.fromEntries(methods.map(({name: key, ...rest}) => [key, rest])),
                properties: Object.fromEntries(properties.map(({name: key, type}) => [key, type])),
                signals: Object.fromEntries(signals.map(({name: key, ...rest}) => [key, rest])),
                xml: sources[short],
            };
            return `export const ${short}Interface = ${JSON.stringify(value, null, 4)} as const;\n`;
        })
        .join('\n');
    await writeIfChanged('helper/src/generated/dbus.ts', `${HEADER}${table}\n${types.join('\n')}`);

    const xml = Object.entries(sources)
        .map(([short, text]) => `export const ${short}Xml = ${JSON.stringify(text)};\n`)
        .join('\n');
    const shellTypes = tables
        .map(({short, properties}) => propertiesType(short, properties))
        .join('\n');
    await writeIfChanged('extension/src/generated/dbus.ts', `${HEADER}${xml}\n${shellTypes}`);
}

/** An interface of others, which snowd does not serve: its name, its methods and its document. */
async function generateForeign(name, methods, xml) {
    const short = name.slice(name.lastIndexOf('.') + 1);
    const value = {name, methods: methods.map(method => method.name), xml: bare(xml)};
    const table = `export const ${short}Interface = ${JSON.stringify(value, null, 4)} as const;\n`;
    await writeIfChanged(`helper/src/generated/${short.toLowerCase()}.ts`, `${HEADER}${table}`);
}

/** Without what is for people. */
function bare(xml) {
    return xml.replace(/<\?xml.*?\?>\s*/s, '').replace(/\s*<!--.*?-->/gs, '');
}

function describeMethod({name, arg = [], annotation = []}) {
    const notes = Object.fromEntries(annotation.map(a => [a.name, a.value]));
    const action = notes['org.frostyard.Snow1.Action'];
    if (action === undefined) throw new Error(`${name} names no polkit action`);
    const optionsText = notes['org.frostyard.Snow1.Options'];
    const inputs = arg.filter(a => a.direction === 'in');
    const outputs = arg.filter(a => a.direction === 'out');
    return {
        name,
        action,
        inputs: inputs.map(a => a.name),
        inSignature: inputs.map(a => a.type).join(''),
        outSignature: outputs.map(a => a.type).join(''),
        options:
            optionsText === undefined
                ? null
                : Object.fromEntries(
                      optionsText
                          .split(' ')
                          .filter(Boolean)
                          .map(pair => pair.split('=')),
                  ),
    };
}

function describeSignal({name, arg = []}) {
    return {name, args: arg.map(a => a.name), signature: arg.map(a => a.type).join('')};
}

function tsType(signature) {
    const type = tsTypes[signature];
    if (!type) throw new Error(`build.mjs knows no TypeScript type for D-Bus ${signature}`);
    return type;
}

function propertiesType(short, properties) {
    const lines = properties.map(p => `    readonly ${p.name}: ${tsType(p.type)};`);
    return `export interface ${short}Properties {\n${lines.join('\n')}\n}\n`;
}

function interfaceType(short, methods, properties) {
    const options = methods
        .filter(m => m.options)
        .map(m => {
            const keys = Object.entries(m.options).map(
                ([key, type]) =>
                    `    readonly ${JSON.stringify(key).replaceAll('"', "'")}?: ${tsType(type)};`,
            );
            return `export interface ${short}${m.name}Options {\n${keys.join('\n')}\n}\n`;
        });
    return `${propertiesType(short, properties)}\n${options.join('\n')}`;
}

/** Keeps the time stamp of a file that would not change, so that watchers stay quiet. */
async function writeIfChanged(path, text) {
    if ((await readFile(path, 'utf8').catch(() => '')) === text) return;
    await mkdir(path.slice(0, path.lastIndexOf('/')), {recursive: true});
    await writeFile(path, text);
}

async function buildPrograms() {
    // The project's own package.json would make ES modules of them.
    await mkdir('dist', {recursive: true});
    await writeFile('dist/package.json', '{"type": "commonjs"}\n');
    for (const name of PROGRAMS) {
        await build({
            entryPoints: [`helper/src/main/${name}.ts`],
            outfile: `dist/${name}`,
            ...programOptions(version),
            legalComments: 'eof',
            banner: {js: '#!/usr/bin/node'},
        });
        await chmod(`dist/${name}`, 0o755);
    }
}

/** What is made from snowctl's tables of commands: dist/completions/ and dist/man/. */
async function buildDocuments() {
    const {outputFiles} = await build({
        entryPoints: ['helper/src/cli/documents/documents.ts'],
        bundle: true,
        platform: 'node',
        format: 'esm',
        write: false,
    });
    const code = encodeURIComponent(outputFiles[0].text);
    const {documents} = await import(`data:text/javascript,${code}`);
    const template = await readFile('data/man/snowctl.1.in', 'utf8');
    for (const [path, text] of Object.entries(documents(template, version)))
        await writeIfChanged(`dist/${path}`, text);
}

async function buildExtension() {
    const out = 'dist/extension';
    for (const entry of ['extension', 'prefs']) {
        await build({
            entryPoints: [`extension/src/${entry}.ts`],
            outfile: `${out}/${entry}.js`,
            bundle: true,
            format: 'esm',
            target: 'firefox115',
            external: ['gi://*', 'resource://*', 'gettext', 'system', 'cairo'],
            logLevel: 'warning',
            plugins: [
                refuse(
                    entry === 'prefs'
                        ? /^gi:\/\/(St|Shell|Clutter|Meta)\b/
                        : /^gi:\/\/(Gtk|Gdk|Adw)\b/,
                    entry,
                ),
            ],
        });
    }
    const metadata = JSON.parse(await readFile('metadata.json', 'utf8'));
    await writeFile(
        `${out}/metadata.json`,
        `${JSON.stringify({...metadata, 'version-name': version}, null, 2)}\n`,
    );
    await cp('schemas', `${out}/schemas`, {recursive: true});
    await run('glib-compile-schemas', ['--strict', `${out}/schemas`]);
    for (const part of ['stylesheet.css', 'icons'])
        if (existsSync(`extension/${part}`))
            await cp(`extension/${part}`, `${out}/${part}`, {recursive: true});
    await cp('COPYING', `${out}/COPYING`);
}

/** The shell must not load Gtk, nor the preferences the shell's own toolkit. */
function refuse(pattern, entry) {
    return {
        name: 'refuse-toolkit',
        setup(builder) {
            builder.onResolve({filter: pattern}, ({path}) => ({
                errors: [{text: `${entry}.js must not import ${path}`}],
            }));
        },
    };
}

async function buildLab() {
    await build({
        entryPoints: {
            demo: 'tests/lab/demo.ts',
            'run-tiers': 'tests/lab/run-tiers.ts',
            bench: 'bench/bench.ts',
        },
        outdir: 'dist/lab',
        outExtension: {'.js': '.mjs'},
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        packages: 'external',
        logLevel: 'warning',
    });
}
