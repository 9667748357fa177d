// SPDX-License-Identifier: GPL-2.0-or-later
// The build (helper/bundle.mjs) puts this in place of modules that @jellybrick/dbus-next imports and nothing here has a
// use for, which take as long to load as all the rest of it: XML for the proxies that it makes of
// introspection data, hashes for DBUS_COOKIE_SHA1, programs for buses that have to be started.

function leftOut(): never {
    throw new Error('This part of the bus library is left out');
}

/** Every connection makes one of each, for later. */
class Xml {
    readonly build = leftOut;
    readonly parse = leftOut;
}

export {
    Xml as XMLParser,
    Xml as default,
    leftOut as createHash,
    leftOut as execFile,
    leftOut as randomBytes,
    leftOut as spawn,
};
