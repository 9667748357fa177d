// SPDX-License-Identifier: GPL-2.0-or-later
// What a person is told before the OS image becomes another one.
import type {Question} from './confirmation.js';
import type {ImageProperties} from './generated/dbus.js';
import {type Channel, type Deployment, nameOf, readDeployment} from './image-deployment.js';
import {dateText} from './image-text.js';
import {fill, gettext as _, ngettext} from './text.js';

/** `extensionCount`: how many features are enabled. */
export function askSwitch(
    image: ImageProperties,
    channel: Channel,
    extensionCount: number,
): Question {
    const paragraphs = [
        fill(
            _('%s will be downloaded, and updates will come from it.'),
            channel.image || channel.name,
        ),
        _('Your files in /home and the settings in /etc stay.'),
    ];
    if (extensionCount > 0) {
        const text = ngettext(
            'The extension that is on may not fit the other system. You are told before you restart.',
            'Not all of the %s extensions that are on may fit the other system. You are told before you restart.',
            extensionCount,
        );
        paragraphs.push(fill(text, extensionCount));
    }
    paragraphs.push(
        image.Capabilities.includes('unstage')
            ? _('Nothing changes until you restart, and until then it can be undone.')
            : _('Nothing changes until you restart.'),
    );
    return {title: fill(_('Switch to %s?'), channel.title), paragraphs, answer: _('Switch')};
}

export function askRollback(image: ImageProperties, rollback: Deployment): Question {
    const booted = readDeployment(image.Booted);
    const staged = readDeployment(image.Staged);
    const version = nameOf(rollback);
    const built = rollback.timestamp
        ? fill(_('version %s of %s'), version, dateText(rollback.timestamp))
        : fill(_('version %s'), version);
    const paragraphs = [
        booted
            ? fill(_('The next restart starts %s instead of %s.'), built, nameOf(booted))
            : fill(_('The next restart starts %s.'), built),
    ];
    if (staged) {
        paragraphs.push(
            fill(_('Version %s, which waits for the restart, is discarded.'), nameOf(staged)),
        );
    }
    paragraphs.push(
        // bootc keeps an /etc for each deployment.
        image.Driver === 'bootc'
            ? _(
                  'Your files in /home stay. Settings in /etc go back to what they were in that version.',
              )
            : _('Your files in /home stay.'),
    );
    return {title: fill(_('Roll back to %s?'), version), paragraphs, answer: _('Roll Back')};
}
