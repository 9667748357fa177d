// SPDX-License-Identifier: GPL-2.0-or-later
// The build puts this in place of the XML libraries of @jellybrick/dbus-next: they are for the proxies
// that it makes of introspection data, which nothing here uses, and take as long to load as all the
// rest of it.

class NoXml {
    /** The library makes one for every connection, whether it needs it or not. */
    parse(): never {
        throw new Error('There is no XML in this program');
    }

    build(): never {
        return this.parse();
    }
}

export {NoXml as XMLParser, NoXml as default};
