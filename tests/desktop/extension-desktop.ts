// SPDX-License-Identifier: GPL-2.0-or-later
// A desktop whose Quick Settings have the extension, and a stand-in of the service that it shows.
import {cp, mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {build} from 'esbuild';
import {execa} from 'execa';

import type {
    FeatureProperties,
    FeaturesProperties,
    ImageProperties,
    IntuneProperties,
    JobProperties,
} from '../../helper/src/generated/dbus.ts';
import {Desktop, type DesktopOptions} from '../lab/desktop.ts';
import {Guest} from '../lab/guest.ts';
import type {Command, Objects} from './stand-in.ts';

export const UUID = 'snow-control@frostyard.org';
const ROOT = '/org/frostyard/Snow1';
export const IMAGE_PATH = `${ROOT}/Image`;
/** Of the user who is logged in. */
export const INTUNE_PATH = `${ROOT}/Intune/u1001`;
const FEATURE = 'org.frostyard.Snow1.Feature';
const IMAGE = 'org.frostyard.Snow1.Image';
const INTUNE = 'org.frostyard.Snow1.Intune';
const JOB = 'org.frostyard.Snow1.Job';

const policy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
    <policy user="root"><allow own="org.frostyard.Snow1"/></policy>
    <policy context="default"><allow send_destination="org.frostyard.Snow1"/></policy>
</busconfig>
`;

/** gnome-session with nothing to start: the shell runs already. */
export const sessionFiles = {
    '/usr/share/gnome-session/sessions/lab.session':
        '[GNOME Session]\nName=Lab\nRequiredComponents=\n',
};

/** Queries for what the tests look at again and again. */
export const toggle = {type: 'SnowControlFeaturesToggle'};
export const menuButton = {styleClass: 'quick-toggle-menu-button', inside: toggle};
export const menu = {type: 'SnowControlFeaturesMenu'};
export const indicator = {type: 'SnowControlJobIndicator'};
export const row = (name: string) => ({type: 'SnowControlFeatureItem', name});
export const switchOf = (name: string) => ({type: 'Switch', inside: row(name)});

export const systemToggle = {type: 'SnowControlSystemToggle'};
export const systemMenuButton = {styleClass: 'quick-toggle-menu-button', inside: systemToggle};
export const systemMenu = {type: 'SnowControlSystemMenu'};
export const intuneToggle = {type: 'SnowControlIntuneToggle'};
export const intuneMenuButton = {styleClass: 'quick-toggle-menu-button', inside: intuneToggle};
export const intuneMenu = {type: 'SnowControlIntuneMenu'};
export const confirmation = {type: 'SnowControlConfirmation'};

/** A feature that is off and not on disk. */
export function feature(name: string, values: Partial<FeatureProperties> = {}): FeatureProperties {
    return {
        Name: name,
        Description: `The programs of ${name}`,
        Documentation: '',
        Enabled: false,
        Installed: '',
        Newest: '1.0',
        Versions: [],
        Active: '',
        Component: name,
        Origin: `/usr/lib/sysupdate.${name}.d/${name}.feature`,
        Problem: '',
        ...values,
    };
}

export function activeFeature(
    name: string,
    version: string,
    values: Partial<FeatureProperties> = {},
): FeatureProperties {
    return feature(name, {
        Enabled: true,
        Installed: version,
        Newest: version,
        Versions: [version],
        Active: version,
        ...values,
    });
}

/** A job of the user who is logged in, on its way. */
export function job(target: string, values: Partial<JobProperties> = {}): JobProperties {
    return {
        Operation: 'features.enable',
        Target: target,
        Step: `Downloading ${target} 1.0`,
        Progress: 0.45,
        BytesDone: 0,
        BytesTotal: 0,
        StartedByUID: 1001,
        State: 'running',
        Error: ['', ''],
        ...values,
    };
}

/** A job of the same user, on the OS image. */
export function imageJob(operation: string, values: Partial<JobProperties> = {}): JobProperties {
    return job('', {
        Operation: `image.${operation}`,
        Step: 'Downloading snow 20261110',
        ...values,
    });
}

/** A job of the same user, on the container. */
export function intuneJob(verb: string, values: Partial<JobProperties> = {}): JobProperties {
    return job('intune-u1001', {
        Operation: `intune.${verb}`,
        Step: 'Downloading ubuntu-intune',
        ...values,
    });
}

export function featurePath(name: string): string {
    const escaped = name.replace(
        /^[0-9]|[^A-Za-z0-9]/g,
        character => `_${character.charCodeAt(0).toString(16)}`,
    );
    return `${ROOT}/Features/${escaped}`;
}

export function jobPath(number: number): string {
    return `${ROOT}/Jobs/${number}`;
}

export interface World {
    readonly features: readonly FeatureProperties[];
    /** By number. */
    readonly jobs?: Readonly<Record<number, JobProperties>>;
    readonly summary?: Partial<FeaturesProperties>;
    /** Null: the service has no such object. */
    readonly image?: ImageProperties | null;
    /** Of the user who is logged in; null: the service has no such object. */
    readonly intune?: IntuneProperties | null;
}

/** A call that the stand-in got. */
export interface Call {
    readonly path: string;
    readonly method: string;
    readonly args: readonly unknown[];
    readonly flags: number;
}

export class ExtensionDesktop implements AsyncDisposable {
    private constructor(
        readonly guest: Guest,
        readonly desktop: Desktop,
        private readonly directory: string,
    ) {}

    static async start(options: DesktopOptions = {}): Promise<ExtensionDesktop> {
        const directory = await mkdtemp(join(tmpdir(), 'extension-desktop-'));
        await layExtension(directory);
        const guest = await Guest.boot('desktop', {
            name: 'extension',
            install: directory,
            files: sessionFiles,
        });
        try {
            await startStandIn(guest);
            const desktop = await Desktop.start(guest, {extensions: [UUID], ...options});
            await startSessionManager(desktop);
            return new ExtensionDesktop(guest, desktop, directory);
        } catch (error) {
            await guest.kill();
            throw error;
        }
    }

    /** Shows these objects and no others, and waits until the extension has taken them. */
    async show({
        features,
        jobs = {},
        summary = {},
        image = null,
        intune = null,
    }: World): Promise<void> {
        const objects: Objects = {
            [ROOT]: {
                'org.frostyard.Snow1.Manager': {
                    Version: '0.1.0',
                    ImageDriver: image?.Driver ?? '',
                },
            },
            [`${ROOT}/Features`]: {
                'org.frostyard.Snow1.Features': {
                    LastCheck: 1700000000,
                    Automatic: false,
                    RestartNeeded: false,
                    Problem: '',
                    ...summary,
                },
            },
        };
        if (image) objects[IMAGE_PATH] = {[IMAGE]: {...image}};
        if (intune) objects[INTUNE_PATH] = {[INTUNE]: {...intune}};
        for (const values of features) objects[featurePath(values.Name)] = {[FEATURE]: {...values}};
        for (const [number, values] of Object.entries(jobs))
            objects[jobPath(Number(number))] = {[JOB]: {...values}};
        await this.tell({do: 'show', objects});
        await this.settle();
    }

    async changeFeature(name: string, values: Partial<FeatureProperties>): Promise<void> {
        await this.tell({do: 'change', path: featurePath(name), interface: FEATURE, values});
        await this.settle();
    }

    async changeImage(values: Partial<ImageProperties>): Promise<void> {
        await this.tell({do: 'change', path: IMAGE_PATH, interface: IMAGE, values});
        await this.settle();
    }

    /** `isSilent`: without a signal of the service. */
    async changeIntune(values: Partial<IntuneProperties>, isSilent = false): Promise<void> {
        await this.tell({
            do: 'change',
            path: INTUNE_PATH,
            interface: INTUNE,
            values: {...values},
            isSilent,
        });
        await this.settle();
    }

    async changeJob(number: number, values: Partial<JobProperties>): Promise<void> {
        await this.tell({do: 'change', path: jobPath(number), interface: JOB, values});
        await this.settle();
    }

    async finishJob(
        number: number,
        state: 'done' | 'failed' | 'cancelled',
        {error = ['', ''] as readonly [string, string], results = {}} = {},
    ): Promise<void> {
        await this.tell({do: 'finish', path: jobPath(number), state, error, results});
        await this.settle();
    }

    /** What the stand-in was asked since the last time, but for its objects. */
    async calls(): Promise<readonly Call[]> {
        const calls = (await this.tell({do: 'calls'})) as [string, string, unknown[], number][];
        return calls
            .filter(([, method]) => method !== 'GetManagedObjects')
            .map(([path, method, args, flags]) => ({path, method, args, flags}));
    }

    /** The service exits, as when it is idle or killed. */
    async stopService(): Promise<void> {
        await this.guest.check(['systemctl', 'stop', 'stand-in.service']);
        await this.settle();
    }

    async startService(): Promise<void> {
        await startStandIn(this.guest);
        await this.settle();
    }

    async tell(command: Command): Promise<unknown> {
        const text = await this.guest.check([
            ...['busctl', '--json=short', 'call', 'org.frostyard.Snow1', '/org/frostyard/StandIn'],
            ...['org.frostyard.StandIn', 'Do', 's', JSON.stringify(command)],
        ]);
        const {data} = JSON.parse(text) as {data: [string]};
        return JSON.parse(data[0]);
    }

    async openMenu(): Promise<void> {
        await this.desktop.openQuickSettings();
        await this.desktop.click(menuButton);
        await this.desktop.find(menu);
        await this.settle();
    }

    async openSystemMenu(): Promise<void> {
        await this.desktop.openQuickSettings();
        await this.desktop.click(systemMenuButton);
        await this.desktop.find(systemMenu);
        await this.settle();
    }

    async openIntuneMenu(): Promise<void> {
        await this.desktop.openQuickSettings();
        await this.desktop.click(intuneMenuButton);
        await this.desktop.find(intuneMenu);
        await this.settle();
    }

    async closeMenu(): Promise<void> {
        await this.desktop.eval('Main.panel.closeQuickSettings()');
        await this.desktop.waitGone(menu);
        await this.desktop.waitGone(systemMenu);
        await this.desktop.waitGone(intuneMenu);
    }

    /** Number of the job that was started last. */
    async lastJob(): Promise<number> {
        const numbers = (await this.tell({do: 'jobs'})) as number[];
        return Math.max(...numbers);
    }

    async changeSetting(key: string, value: boolean): Promise<void> {
        const schemas = `/usr/share/gnome-shell/extensions/${UUID}/schemas`;
        await this.desktop.run([
            ...['gsettings', '--schemadir', schemas, 'set'],
            ...['org.gnome.shell.extensions.snow-control', key, `${value}`],
        ]);
        await this.settle();
    }

    /** Until the shell has taken what is on its way over the bus and drawn it. */
    async settle(): Promise<void> {
        await this.desktop.eval(`new Promise(resolve => {
            imports.gi.GLib.timeout_add(imports.gi.GLib.PRIORITY_LOW, 120, () => {
                resolve(true);
                return false;
            });
        })`);
    }

    async screenshot(name: string): Promise<void> {
        await this.settle();
        await this.desktop.screenshot(`out/desktop/${name}.png`);
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await this.guest.kill();
        await rm(this.directory, {recursive: true, force: true});
    }
}

/** The extension as it was built, and the stand-in with the right to its name. */
async function layExtension(directory: string): Promise<void> {
    await execa('node', ['build.mjs', '--extension'], {stdin: 'ignore', all: true});
    const target = join(directory, 'usr/share/gnome-shell/extensions', UUID);
    await cp('dist/extension', target, {recursive: true});
    await build({
        entryPoints: ['tests/desktop/stand-in.ts'],
        outfile: join(directory, 'usr/lib/snow-control-tests/stand-in.mjs'),
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        logLevel: 'warning',
        // For the parts of its libraries that are CommonJS.
        banner: {
            js: `import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);`,
        },
    });
    const policies = join(directory, 'usr/share/dbus-1/system.d');
    await mkdir(policies, {recursive: true});
    await writeFile(join(policies, 'stand-in.conf'), policy);
}

async function startStandIn(guest: Guest): Promise<void> {
    await guest.check([
        ...['systemd-run', '--quiet', '--collect', '--unit=stand-in.service'],
        ...['--service-type=dbus', '--property=BusName=org.frostyard.Snow1'],
        ...['node', '/usr/lib/snow-control-tests/stand-in.mjs'],
    ]);
}

/** The real gnome-session of a guest with sessionFiles, which asks by the shell's dialog before it restarts the computer. */
export async function startSessionManager(desktop: Desktop): Promise<void> {
    await desktop.run([
        ...['systemd-run', '--user', '--quiet', '--collect', '--unit=lab-gnome-session.service'],
        ...['--setenv=XDG_CURRENT_DESKTOP=GNOME', '--setenv=XDG_SESSION_TYPE=wayland'],
        `--setenv=XDG_SESSION_ID=${desktop.session.id}`,
        ...['/usr/libexec/gnome-session-binary', '--session=lab', '--autostart=/run/nothing'],
    ]);
    await desktop.waitFor(`(async () => {
        const actions = await import('resource:///org/gnome/shell/misc/systemActions.js');
        actions.getDefault().forceUpdate();
        return actions.getDefault().canRestart;
    })()`);
}
