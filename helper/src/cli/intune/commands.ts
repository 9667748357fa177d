// SPDX-License-Identifier: GPL-2.0-or-later
// The commands and options for containers, as parts of the tables of all commands.

import type {Command, Option} from '../commands.ts';

export type IntuneCommandName = `intune ${
    | 'init'
    | 'start'
    | 'stop'
    | 'restart'
    | 'open'
    | 'shell'
    | 'run'
    | 'status'
    | 'check'
    | 'recreate'
    | 'destroy'
    | 'adopt'
    | 'configure'
    | 'autostart'
    | 'devices'
    | 'sso'}`;

export type IntuneOptionName =
    | 'channel'
    | 'image'
    | 'password-file'
    | 'no-password'
    | 'undo'
    | 'all'
    | 'complete'
    | 'if-configured'
    | 'notify'
    | 'start-container'
    | 'sandboxed'
    | 'browsers'
    | 'user';

export const intuneOptions: readonly (Option & {readonly name: IntuneOptionName})[] = [
    {
        name: 'channel',
        value: {name: 'stable|insiders', kind: 'choice', choices: ['stable', 'insiders']},
        summary: 'Take the image of this channel',
        details: 'Take the image of this channel, and follow it from then on.',
    },
    {
        name: 'image',
        value: {name: 'REFERENCE', kind: 'text'},
        summary: 'Take this image, which an administrator allows',
        details:
            'Take this image in place of a channel, and follow it from then on. It has to be allowed in /etc/snow-control/intune.conf.',
    },
    {
        name: 'password-file',
        value: {name: 'FILE', kind: 'file'},
        summary: 'Read the password from a file, or with - from standard input',
        details:
            'Read the password of the user in the container from the first line of a file, or with - from standard input. Without this option a terminal asks for it.',
    },
    {
        name: 'no-password',
        summary: 'Leave the user in the container without a password',
        details:
            'Leave the user in the container without a password until one is set there. So it is where there is neither a terminal nor --password-file.',
    },
    {
        name: 'undo',
        summary: 'Bring back the container before the last recreate',
        details:
            'Bring back the container as it was before the last recreate, and keep the present one to be brought back in turn.',
    },
    {
        name: 'all',
        summary: 'Remove the settings, too',
        details: 'Remove the settings of the user, too.',
    },
    {
        name: 'complete',
        summary: 'Remove what was taken over',
        details:
            'Remove the installation of intuneme that was taken over before. This is refused until the new container has worked.',
    },
    {
        name: 'if-configured',
        summary: 'Do nothing unless it is to start at login',
        details:
            'Do nothing, and succeed, where there is no container or where it is not to be started at login.',
    },
    {
        name: 'notify',
        summary: 'Show on the desktop what goes on',
        details:
            'Show a start that takes its time, and a failure, as a notification of the desktop: for starts without a terminal.',
    },
    {
        name: 'start-container',
        summary: 'Have a program that signs in start the container',
        details:
            'Have the container started when a program of this machine signs in with it. Else such a program is told that it does not run.',
    },
    {
        name: 'sandboxed',
        summary: 'Let programs in a sandbox sign in, too',
        details: 'Let Flatpak and snap applications sign in with the container, too.',
    },
    {
        name: 'browsers',
        summary: 'Let extensions of Firefox, Chrome, Chromium and Edge sign in',
        details:
            'Let the extension linux-entra-sso of Firefox, Chrome, Chromium and Edge sign in, of those that the user has. Files of others for that extension stay as they are.',
    },
    {
        name: 'user',
        value: {name: 'USER', kind: 'user'},
        summary: 'Act on the container of this user',
        details:
            'Act on the container of this user, by name or uid, instead of one’s own. Only root may act on that of another one.',
    },
];

const machineOptions = ['no-ask-password', 'user'] as const;
const diskOptions = ['dry-run', 'no-wait', ...machineOptions] as const;

export const intuneCommands: readonly Command[] = [
    {
        name: 'intune init',
        operands: [],
        options: ['channel', 'image', 'password-file', 'no-password', ...diskOptions],
        summary: 'Make the container',
        details:
            'Fetch the image and make the container of the user from it, with ~/Intune as its home directory. The password is that of the user in the container: 12 characters at least, with a digit, an upper-case and a lower-case letter and another character, and without the user’s name.',
    },
    {
        name: 'intune start',
        operands: [],
        options: ['if-configured', 'notify', 'no-wait', ...machineOptions],
        summary: 'Start the container',
        details:
            'Start the container with what the session has, and return when its own session is ready for applications. Nothing is done when it runs already.',
    },
    {
        name: 'intune stop',
        operands: [],
        options: ['no-wait', ...machineOptions],
        summary: 'Shut the container down',
        details: 'Shut the container down, its applications first.',
    },
    {
        name: 'intune restart',
        operands: [],
        options: ['no-wait', ...machineOptions],
        summary: 'Shut the container down and start it',
        details: 'Shut the container down, if it runs, and start it again.',
    },
    {
        name: 'intune open',
        operands: [
            {name: 'APP', kind: 'application'},
            {name: 'ARG', kind: 'argument', isOptional: true, repeats: true},
        ],
        options: ['notify', 'no-wait', ...machineOptions],
        summary: 'Start an application of the container',
        details:
            'Start an application of the container: edge, portal, or a program by its name or path. The container is started before, if need be. What begins with a hyphen goes after --.',
    },
    {
        name: 'intune shell',
        operands: [],
        options: machineOptions,
        summary: 'Open a shell in the container',
        details:
            'Open the user’s shell in the container, on this terminal or with these standard streams. The container is started before, if need be.',
    },
    {
        name: 'intune run',
        operands: [{name: 'COMMAND', kind: 'argument', repeats: true}],
        options: machineOptions,
        summary: 'Run a program in the container',
        details:
            'Run a program in the container as its user, with the standard streams of snowctl, and end with its exit status. Nothing else is printed on standard output. The command goes after --. On a terminal the program gets one of its own; else Ctrl+C ends it.',
    },
    {
        name: 'intune status',
        operands: [],
        options: ['user'],
        summary: 'Show the state of the container',
        details:
            'Show the state of the container, its image and whether there is a newer one, what of this machine is in it, and the state of its session: session bus, keyring, identity broker and agent, with a remedy for each problem. What it finds does not change the exit status.',
    },
    {
        name: 'intune check',
        operands: [],
        options: ['no-wait', ...machineOptions],
        summary: 'Ask the registry for a newer image',
        details:
            'Ask the registry for a newer image. What it finds is said and does not change the exit status.',
    },
    {
        name: 'intune recreate',
        operands: [],
        options: ['channel', 'image', 'undo', 'yes', ...diskOptions],
        summary: 'Make the container anew from the newest image',
        details:
            'Make the container anew from the newest image, and keep its enrolment. The old one runs until the new one is ready to take its place, and can be brought back with --undo.',
    },
    {
        name: 'intune destroy',
        operands: [],
        options: ['all', 'yes', ...diskOptions],
        summary: 'Remove the container and its enrolment',
        details:
            'Remove the container, the one before it and the enrolment. The files in ~/Intune stay.',
    },
    {
        name: 'intune adopt',
        operands: [],
        options: ['complete', 'yes', ...diskOptions],
        summary: 'Take over an installation of intuneme',
        details:
            'Make the container with the enrolment of an installation of intuneme, which stays as it is. Once the container has worked, --complete removes the installation.',
    },
    {
        name: 'intune configure',
        operands: [{name: 'KEY=VALUE', kind: 'setting', repeats: true}],
        options: machineOptions,
        summary: 'Change settings of the container',
        details:
            'Change settings, which count from the next start: channel (stable, insiders); autostart, gpu, nvidia, x11, audio and smart-cards (yes, no); cameras, security-keys and listed-devices (allow, ask, never); memory-max, cpu-quota and tasks-max, as systemd.resource-control(5) has them, or empty for no limit.',
    },
    {
        name: 'intune autostart',
        operands: [{name: 'on|off|status', kind: 'switch'}],
        options: machineOptions,
        summary: 'Start the container at login, or not',
        details: 'Have the container started at login, or not, or say which it is.',
    },
    {
        name: 'intune devices',
        operands: [
            {name: 'ACTION', kind: 'device-action'},
            {name: 'NODE|CLASS', kind: 'device', isOptional: true, repeats: true},
        ],
        options: machineOptions,
        summary: 'List, attach and detach cameras and keys',
        details:
            'With list, show the cameras, security keys and listed devices that are plugged in. With attach or detach, give some to the running container or take them away, by any of their nodes (/dev/video0, or video0), until they are unplugged or the container stops. With policy, say whether those of a class (cameras, security-keys, listed-devices) are attached when they are plugged in (allow), after a question (ask), or never: “policy”, “policy CLASS”, “policy CLASS allow|ask|never”.',
    },
    {
        name: 'intune sso',
        operands: [{name: 'on|off|status', kind: 'switch'}],
        options: ['start-container', 'sandboxed', 'browsers'],
        summary: 'Let programs of this machine sign in with it',
        details:
            'Let browsers and other programs of this machine sign in with the enrolment of one’s own container, or not, or say which it is, and which programs have done so since the login. They find the identity broker on the session’s bus, where its calls are handed on to the one in the container.',
    },
];
