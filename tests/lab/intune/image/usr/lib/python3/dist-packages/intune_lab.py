# SPDX-License-Identifier: GPL-2.0-or-later
# What the stand-ins for Microsoft's programs share: a window, and calls of the identity broker.

import json
import uuid

import dbus


def ask_broker(method, **request):
    """What the broker answers; throws dbus.DBusException when there is none."""
    broker = dbus.SessionBus().get_object(
        'com.microsoft.identity.broker1', '/com/microsoft/identity/broker1', introspect=False
    )
    answer = broker.get_dbus_method(method, 'com.microsoft.identity.Broker1')(
        '0.0', str(uuid.uuid4()), json.dumps(request), signature='sss', timeout=20
    )
    return json.loads(answer)


def show_window(program, title, lines, colour):
    """Shows a window until it is closed; its last line says who is signed in."""
    import gi

    gi.require_version('Gtk', '3.0')
    from gi.repository import GLib, Gtk

    GLib.set_prgname(program)
    if not Gtk.init_check([])[0]:
        raise SystemExit(f'{program}: cannot open display')
    with open('/usr/share/intune-lab/version') as file:
        version = file.read().strip()
    style = Gtk.CssProvider()
    style.load_from_data(
        f'* {{ background-color: {colour}; color: white; font-size: 22px; }}'.encode()
    )
    window = Gtk.Window(title=title, default_width=520, default_height=320)
    window.connect('destroy', Gtk.main_quit)
    box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, border_width=30)
    account = Gtk.Label(label='…')
    for label in [*(Gtk.Label(label=line) for line in [f'{title} {version}', *lines]), account]:
        label.get_style_context().add_provider(style, 900)
        box.pack_start(label, False, False, 0)
    page = Gtk.EventBox()
    page.get_style_context().add_provider(style, 900)
    page.add(box)
    window.add(page)
    window.show_all()

    def look():
        try:
            accounts = [entry['username'] for entry in ask_broker('getAccounts')['accounts']]
            account.set_text(', '.join(accounts) or 'Not signed in')
        except dbus.DBusException as error:
            account.set_text(error.get_dbus_name())
        print(f'{program}: {account.get_text()}', flush=True)

    GLib.timeout_add(200, look)
    print(f'{program}: shown', flush=True)
    Gtk.main()
