// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {localHost} from '../../../../helper/src/host/local-host.ts';
import {
    allowedDevices,
    graphicsNodes,
    nvidiaDriver,
} from '../../../../helper/src/intune/boot/graphics.ts';
import {settings} from './container.ts';

let root: string;

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'graphics-'));
});
afterEach(() => rm(root, {recursive: true}));

async function put(path: string, text = ''): Promise<void> {
    await mkdir(dirname(join(root, path)), {recursive: true});
    await writeFile(join(root, path), text);
}

describe('nvidiaDriver', () => {
    it('has the libraries by the names that programs ask for, wherever they are', async () => {
        await put('usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.550.1');
        await put('usr/lib/x86_64-linux-gnu/libGLX.so.0');
        await symlink(
            'nvidia/current/libcuda.so.550.1',
            join(root, 'usr/lib/x86_64-linux-gnu/libcuda.so.1'),
        );
        await put('usr/share/glvnd/egl_vendor.d/10_nvidia.json');
        await put('usr/share/glvnd/egl_vendor.d/50_mesa.json');
        const driver = await nvidiaDriver(localHost(root));
        const real = '/usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.550.1';
        expect(driver?.binds.map(({source, target}) => [source, target])).toEqual([
            [real, '/run/host-nvidia/lib/libcuda.so.1'],
            [real, '/run/host-nvidia/lib/libcuda.so.550.1'],
            ['/usr/share/glvnd/egl_vendor.d/10_nvidia.json', '/run/host-nvidia/egl/10_nvidia.json'],
        ]);
        expect(driver?.binds.every(({isReadOnly}) => isReadOnly)).toBe(true);
        expect(driver?.environment).toMatchObject({
            LD_LIBRARY_PATH: '/run/host-nvidia/lib',
            __EGL_VENDOR_LIBRARY_DIRS: '/run/host-nvidia/egl:/usr/share/glvnd/egl_vendor.d',
        });
        expect(driver?.environment).not.toHaveProperty('VK_ADD_DRIVER_FILES');
    });

    it('is none where there are no libraries of its', async () => {
        await put('usr/lib/x86_64-linux-gnu/libGLX.so.0');
        await put('usr/share/vulkan/icd.d/nvidia_icd.json');
        expect(await nvidiaDriver(localHost(root))).toBeNull();
    });
});

describe('devices', () => {
    it('are allowed by the numbers that the kernel says, and those of screens are not', async () => {
        await put('sys/class/drm/renderD128/dev', '226:128\n');
        await put('sys/class/drm/renderD129/dev', '226:129 rwm\nDeviceAllow=/dev/sda');
        await put('sys/class/drm/card0/dev', '226:0\n');
        const host = localHost(root);
        expect(await allowedDevices(host, settings)).toEqual(['/dev/char/226:128', 'char-nvidia*']);
        expect(await allowedDevices(host, {...settings, nvidia: false, gpu: false})).toEqual([]);
    });

    it('are devices: no link, and no file', async () => {
        await put('dev/dri/renderD128');
        await symlink('/dev/null', join(root, 'dev/dri/renderD129'));
        await symlink('/dev/null', join(root, 'dev/nvidia0'));
        expect(await graphicsNodes(localHost(root), settings)).toEqual({
            '/dev': [],
            '/dev/dri': [],
            '/dev/nvidia-caps': [],
        });
    });
});
