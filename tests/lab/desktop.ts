// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import type {Guest} from './guest.ts';
import type {Session} from './session.ts';
import {type Query, type Widget, shellDriver} from './shell-driver.ts';
import {formatEntry, isWarning, readLog} from './shell-log.ts';

export type {Query, Widget} from './shell-driver.ts';

export interface DesktopOptions {
    readonly user?: string;
    readonly width?: number;
    readonly height?: number;
    /** UUIDs of the shell extensions to be enabled from the start. */
    readonly extensions?: readonly string[];
    /** More settings, as `gsettings set` takes them: `[schema, key, value]`. */
    readonly settings?: readonly (readonly [string, string, string])[];
    /** Off by default, so that tests need not wait for them. */
    readonly animations?: boolean;
}

/** A window of a program, in pixels of the screen. */
export interface ShellWindow {
    readonly title: string;
    /** The application's id under Wayland. */
    readonly application: string;
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
}

const unit = 'lab-shell.service';

/** gnome-shell on a virtual monitor in a guest, seen and used as a person does. */
export class Desktop implements AsyncDisposable {
    #logCursor = '';

    private constructor(
        readonly guest: Guest,
        readonly session: Session,
        readonly width: number,
        readonly height: number,
    ) {}

    /** Logs the user in on seat0 and starts the shell, in some 3 s. */
    static async start(guest: Guest, options: DesktopOptions = {}): Promise<Desktop> {
        const {user = 'alice', width = 1280, height = 800} = options;
        const session = await guest.openSession(user);
        const desktop = new Desktop(guest, session, width, height);
        const enabled = (options.extensions ?? []).map(uuid => `'${uuid}'`).join(', ');
        await desktop.#set([
            ['org.gnome.shell', 'enabled-extensions', `[${enabled}]`],
            ['org.gnome.shell', 'welcome-dialog-last-shown-version', '999'],
            ['org.gnome.desktop.interface', 'enable-animations', `${options.animations ?? false}`],
            ['org.gnome.desktop.session', 'idle-delay', 'uint32 0'],
            ['org.gnome.desktop.screensaver', 'lock-enabled', 'false'],
            ...(options.settings ?? []),
        ]);
        await desktop.startShell();
        return desktop;
    }

    async #set(settings: readonly (readonly [string, string, string])[]) {
        const script = settings.map(() => 'gsettings set "$1" "$2" "$3" && shift 3').join(' && ');
        await this.run(['sh', '-c', script, 'gsettings', ...settings.flat()]);
    }

    /** Starts the shell; `stopShell` and this again are what a new login is to an extension. */
    async startShell() {
        await this.run([
            'systemd-run',
            ...['--user', '--quiet', '--collect', `--unit=${unit}`],
            '--setenv=XDG_CURRENT_DESKTOP=GNOME',
            `--setenv=XDG_SESSION_ID=${this.session.id}`,
            '--setenv=XDG_SESSION_TYPE=wayland',
            ...['gnome-shell', '--headless', '--unsafe-mode', '--wayland', '--no-x11'],
            '--virtual-monitor',
            `${this.width}x${this.height}`,
        ]);
        await this.waitFor('Main.layoutManager._startingUp === false', {timeout: 30_000});
        await this.eval(shellDriver);
        // a login shows the overview, and one without GDM complains that the screen cannot be locked
        await this.eval('Main.overview.hide()');
        await this.waitFor('!Main.overview.visible');
        await this.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
    }

    async stopShell() {
        await this.run(['systemctl', '--user', 'stop', unit]);
    }

    /** Runs a program in the user's session; throws when it fails. Its standard output. */
    run(command: string | readonly string[]): Promise<string> {
        return this.guest.check(command, {session: this.session});
    }

    /**
     * Runs JavaScript in the shell (`Main` and `global` are there) and gives its value, awaited. Throws
     * what it throws.
     */
    async eval<T = unknown>(script: string): Promise<T> {
        const wrapped = `(async () => { try { return {value: await (${script.trim()})}; } catch (error) { return {error: String(error) + '\\n' + error?.stack}; } })()`;
        const {stdout, stderr, exitCode} = await this.guest.run(
            [
                ...['busctl', '--user', '--json=short', '--timeout=60', 'call'],
                ...['org.gnome.Shell', '/org/gnome/Shell', 'org.gnome.Shell', 'Eval', 's', wrapped],
            ],
            {session: this.session},
        );
        if (exitCode !== 0) throw new Error(`gnome-shell does not answer: ${stderr.trim()}`);
        const [isDone, text] = (JSON.parse(stdout) as {data: [boolean, string]}).data;
        if (!isDone) throw new Error(`in the shell: ${text}`);
        const result = JSON.parse(text || '{}') as {value?: T; error?: string};
        if (result.error !== undefined) throw new Error(`in the shell: ${result.error}`);
        return result.value as T;
    }

    /** Every widget on the screen that fits. */
    findAll(query: Query): Promise<readonly Widget[]> {
        return this.eval(`lab.find(${JSON.stringify(query)})`);
    }

    /** The widget, waited for. */
    async find(query: Query, {timeout = 5000} = {}): Promise<Widget> {
        const nth = query.nth ?? 0;
        const found = await this.#poll(timeout, async () => (await this.findAll(query))[nth]);
        if (found) return found;
        throw new Error(
            `${JSON.stringify(query)} is not on the screen. There is:\n${await this.texts()}`,
        );
    }

    async isShown(query: Query): Promise<boolean> {
        return (await this.findAll(query)).length > (query.nth ?? 0);
    }

    /** Windows of programs that are shown, the topmost one last. */
    windows(): Promise<readonly ShellWindow[]> {
        return this
            .eval(`global.get_window_actors().filter(actor => actor.mapped).map(({meta_window}) => {
            const {x, y, width, height} = meta_window.get_frame_rect();
            return {title: meta_window.title, application: meta_window.get_wm_class(), x, y, width, height};
        })`);
    }

    /** The window of a program, waited for. */
    async findWindow(title: string, {timeout = 20_000} = {}): Promise<ShellWindow> {
        const found = await this.#poll(timeout, async () =>
            (await this.windows()).find(window => window.title === title),
        );
        if (found) return found;
        const titles = (await this.windows()).map(window => window.title);
        throw new Error(`no window "${title}", only: ${titles.join(', ')}`);
    }

    /** What the screen shows at a point, as #rrggbb. */
    async pixel(x: number, y: number): Promise<string> {
        return this.eval(`(async () => {
            const {Gio, Shell} = imports.gi;
            const screenshot = new Shell.Screenshot();
            const colour = await new Promise((resolve, reject) => screenshot.pick_color(${x}, ${y}, (_, result) => {
                try { resolve(screenshot.pick_color_finish(result)); } catch (error) { reject(error); }
            }));
            const {red, green, blue} = Array.isArray(colour) ? colour.at(-1) : colour;
            return '#' + [red, green, blue].map(part => part.toString(16).padStart(2, '0')).join('');
        })()`);
    }

    /** Waits until nothing on the screen fits. */
    async waitGone(query: Query, {timeout = 5000} = {}) {
        const isGone = await this.#poll(timeout, async () => !(await this.isShown(query)));
        if (!isGone) throw new Error(`${JSON.stringify(query)} is still on the screen`);
    }

    /** All text on the screen, a line each. */
    async texts(): Promise<string> {
        const labels = await this.eval<readonly Widget[]>(`lab.find({type: 'StLabel'})`);
        return [...new Set(labels.map(({text}) => text).filter(Boolean))].join('\n');
    }

    /** Moves the pointer to the middle of a widget, scrolling to it by the wheel, and clicks. */
    async click(query: Query, {timeout = 5000} = {}) {
        await this.find(query, {timeout});
        const {x, y} = await this.#point(query, timeout);
        await this.eval(`lab.click(${x}, ${y})`);
    }

    /** Moves the pointer there without a click. */
    async hover(query: Query, {timeout = 5000} = {}) {
        await this.find(query, {timeout});
        const {x, y} = await this.#point(query, timeout);
        await this.eval(`lab.move(${x}, ${y})`);
    }

    async #point(query: Query, timeout: number): Promise<{x: number; y: number}> {
        let last = '';
        const point = await this.#poll(timeout, async () => {
            const where = await this.eval<
                {problem: string} | {x: number; y: number; scroll?: -1 | 1}
            >(`lab.target(${JSON.stringify(query)})`);
            if ('problem' in where) {
                last = where.problem;
                return undefined;
            }
            if (where.scroll === undefined) return where;
            last = 'does not scroll into view';
            await this.eval(`lab.scroll(${where.x}, ${where.y}, ${where.scroll})`);
            return undefined;
        });
        if (!point) throw new Error(`cannot point at ${JSON.stringify(query)}: ${last}`);
        return point;
    }

    async clickAt(x: number, y: number) {
        await this.eval(`lab.click(${x}, ${y})`);
    }

    /** Types text on a keyboard. */
    async type(text: string) {
        await this.eval(`lab.type(${JSON.stringify(text)})`);
    }

    /** Presses keys together: `key('Escape')`, `key('Control_L', 'a')`. Names as in Clutter's KEY_*. */
    async key(...names: readonly string[]) {
        await this.eval(`lab.keys(${JSON.stringify(names)})`);
    }

    /** Opens Quick Settings by a click in the top bar. */
    async openQuickSettings() {
        await this.click({styleClass: 'panel-button', type: 'QuickSettings'});
        await this.find({styleClass: 'quick-settings'});
    }

    /** Waits until a JavaScript expression in the shell, or a function here, is true. */
    async waitFor(
        condition: string | (() => Promise<boolean>),
        {timeout = 10_000, what = ''} = {},
    ) {
        let failure: unknown;
        const isMet = await this.#poll(timeout, async () => {
            try {
                return typeof condition === 'string'
                    ? Boolean(await this.eval(condition))
                    : await condition();
            } catch (error) {
                // such as a shell that is not yet on the bus
                failure = error;
                return false;
            }
        });
        if (!isMet)
            throw new Error(`waited ${timeout} ms in vain for: ${what || condition.toString()}`, {
                cause: failure ?? (await this.shellLog()).slice(-2000),
            });
    }

    async #poll<T>(timeout: number, look: () => Promise<T>): Promise<T | undefined> {
        const deadline = Date.now() + timeout;
        for (;;) {
            const result = await look();
            if (result) return result;
            if (Date.now() > deadline) return undefined;
            await sleep(50);
        }
    }

    /** Writes a PNG of the whole screen to a path of the host. */
    async screenshot(file: string): Promise<string> {
        const path = '/tmp/lab-screenshot.png';
        const {data} = JSON.parse(
            await this.run([
                ...['busctl', '--user', '--json=short', 'call', 'org.gnome.Shell.Screenshot'],
                ...['/org/gnome/Shell/Screenshot', 'org.gnome.Shell.Screenshot', 'Screenshot'],
                ...['bbs', 'true', 'false', path],
            ]),
        ) as {data: [boolean, string]};
        if (!data[0]) throw new Error('gnome-shell took no screenshot');
        const target = resolve(file);
        await mkdir(dirname(target), {recursive: true});
        await writeFile(target, await this.guest.getFile(data[1]));
        await this.guest.run(['rm', '-f', data[1]]);
        return target;
    }

    /** All that programs of the user said to the journal: the shell, its helpers, the preferences. */
    async shellLog(): Promise<string> {
        const entries = await readLog(this.guest, this.session.uid, this.#logCursor);
        return entries.map(formatEntry).join('\n');
    }

    /** From now on the log is only what comes after this. */
    async clearLog() {
        const entries = await readLog(this.guest, this.session.uid, this.#logCursor);
        this.#logCursor = entries.at(-1)?.cursor ?? this.#logCursor;
    }

    /** Throws with them if the shell, an extension in it or its preferences warned of anything. */
    async assertNoWarnings() {
        const entries = await readLog(this.guest, this.session.uid, this.#logCursor);
        const bad = entries.filter(isWarning).map(formatEntry);
        if (bad.length > 0) throw new Error(`the shell's log has warnings:\n${bad.join('\n')}`);
    }

    /** Logs out: the shell ends and the session closes. */
    async close() {
        await this.guest.run(['systemctl', '--user', 'stop', unit], {session: this.session});
        await this.session.close();
    }

    async [Symbol.asyncDispose]() {
        await this.close();
    }
}
