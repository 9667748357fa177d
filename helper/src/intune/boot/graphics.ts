// SPDX-License-Identifier: GPL-2.0-or-later
// The graphics devices of this machine, and what of a driver a container needs that has none of its own.

import {type DeviceNode, characterDevices} from '../../host/device-nodes.ts';
import type {Host} from '../../host/host.ts';
import type {Settings} from '../model.ts';
import {type Bind, canBeBound} from './nspawn-settings.ts';

/** Nodes for drawing; those of the screens (card0, ...) stay the host's. */
const RENDER_NODE = /^renderD\d{1,5}$/;
const DRM = '/sys/class/drm';

const NVIDIA_NODE = /^nvidia(\d{1,3}|ctl|-modeset|-uvm|-uvm-tools)$/;
const NVIDIA_CAPABILITY = /^nvidia-cap\d{1,5}$/;
const NVIDIA_LIBRARY =
    /^lib(nvidia-[a-z0-9-]+|cuda|cudadebugger|EGL_nvidia|GLX_nvidia|GLESv1_CM_nvidia|GLESv2_nvidia|nvcuvid|nvoptix)\.so(\.\d+)*$/;

const LIBRARY_DIRECTORIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].flatMap(triplet => [
    `/usr/lib/${triplet}`,
    `/usr/lib/${triplet}/nvidia/current`,
]);

/** In the container. */
const NVIDIA = '/run/host-nvidia';

/** Of the host: where it is in the container, and the variable by which the bound files are found there. */
const vendorFiles: readonly {
    readonly directory: string;
    readonly name: RegExp;
    readonly target: string;
    readonly variable: string;
    value(files: readonly string[]): string;
}[] = [
    {
        directory: '/usr/share/vulkan/icd.d',
        name: /^nvidia_icd[A-Za-z0-9._-]*\.json$/,
        target: `${NVIDIA}/vulkan`,
        variable: 'VK_ADD_DRIVER_FILES',
        value: files => files.join(':'),
    },
    {
        directory: '/usr/share/glvnd/egl_vendor.d',
        name: /^\d\d_nvidia\.json$/,
        target: `${NVIDIA}/egl`,
        variable: '__EGL_VENDOR_LIBRARY_DIRS',
        value: () => `${NVIDIA}/egl:/usr/share/glvnd/egl_vendor.d`,
    },
    {
        directory: '/usr/share/egl/egl_external_platform.d',
        name: /^[A-Za-z0-9._-]*nvidia[A-Za-z0-9._-]*\.json$/,
        target: `${NVIDIA}/egl-platform`,
        variable: '__EGL_EXTERNAL_PLATFORM_CONFIG_DIRS',
        value: () => `${NVIDIA}/egl-platform:/usr/share/egl/egl_external_platform.d`,
    },
];

/**
 * What the unit of a container may open, as DeviceAllow= names it. Asks the kernel, not /dev, of which
 * a sandboxed service has its own.
 */
export async function allowedDevices(host: Host, settings: Settings): Promise<readonly string[]> {
    const devices: string[] = [];
    if (settings.gpu) {
        const names = (await host.files.list(DRM)).filter(name => RENDER_NODE.test(name));
        for (const name of names) {
            const number = (await host.files.readText(`${DRM}/${name}/dev`))?.trim() ?? '';
            if (/^\d{1,9}:\d{1,9}$/.test(number)) devices.push(`/dev/char/${number}`);
        }
    }
    // Names of drivers; those that are not loaded are none.
    if (settings.nvidia) devices.push('char-nvidia*');
    return devices;
}

/** Nodes of this machine that the container gets like them of, by their directory there. */
export async function graphicsNodes(
    host: Host,
    settings: Settings,
): Promise<Readonly<Record<'/dev' | '/dev/dri' | '/dev/nvidia-caps', readonly DeviceNode[]>>> {
    const {gpu, nvidia} = settings;
    const nodes = (directory: string, name: RegExp) => characterDevices(host, directory, name);
    return {
        '/dev': nvidia ? await nodes('/dev', NVIDIA_NODE) : [],
        '/dev/dri': gpu ? await nodes('/dev/dri', RENDER_NODE) : [],
        '/dev/nvidia-caps': nvidia ? await nodes('/dev/nvidia-caps', NVIDIA_CAPABILITY) : [],
    };
}

export interface Driver {
    readonly binds: readonly Bind[];
    readonly environment: Readonly<Record<string, string>>;
}

/** The libraries of Nvidia's driver, which have to be of the kernel module's version: the host's. */
export async function nvidiaDriver(host: Host): Promise<Driver | null> {
    const binds: Bind[] = [];
    const bind = async (source: string, target: string): Promise<void> => {
        const real = await host.files.resolve(source);
        if (real === null || !canBeBound(real) || binds.some(one => one.target === target)) return;
        binds.push({source: real, target, mapping: 'none', isReadOnly: true});
    };
    for (const directory of LIBRARY_DIRECTORIES)
        for (const name of await host.files.list(directory))
            if (NVIDIA_LIBRARY.test(name))
                await bind(`${directory}/${name}`, `${NVIDIA}/lib/${name}`);
    if (binds.length === 0) return null;
    const environment: Record<string, string> = {
        LD_LIBRARY_PATH: `${NVIDIA}/lib`,
        __NV_PRIME_RENDER_OFFLOAD: '1',
        __GLX_VENDOR_LIBRARY_NAME: 'nvidia',
    };
    for (const {directory, name, target, variable, value} of vendorFiles) {
        const before = binds.length;
        for (const file of await host.files.list(directory))
            if (name.test(file)) await bind(`${directory}/${file}`, `${target}/${file}`);
        const files = binds.slice(before).map(one => one.target);
        if (files.length > 0) environment[variable] = value(files);
    }
    return {binds, environment};
}
