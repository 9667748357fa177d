// SPDX-License-Identifier: GPL-2.0-or-later

/** What a widget on the shell's screen looks like to a person, or to a screen reader. */
export interface Widget {
    /** GObject type name, such as `Gjs_ui_quickSettings_QuickToggle`. */
    readonly type: string;
    /** What a screen reader says. */
    readonly name: string;
    /** All text in it, in order, joined by line feeds. */
    readonly text: string;
    readonly styleClass: string;
    /** Pressed in, or switched on; null for what is neither. */
    readonly checked: boolean | null;
    readonly reactive: boolean;
    readonly hasFocus: boolean;
    /** On the screen, in pixels. */
    readonly box: {
        readonly x: number;
        readonly y: number;
        readonly width: number;
        readonly height: number;
    };
}

/** All that is given must fit. Texts fit as a whole; only what is on the screen (mapped) is found. */
export interface Query {
    readonly name?: string;
    /** Its own text (an St.Label, a button's label) or that of its first label. */
    readonly label?: string;
    /** One class of its style classes. */
    readonly styleClass?: string;
    /** The last part of the type's name: `DarkModeToggle`, `PopupSwitchMenuItem`, `StLabel`. */
    readonly type?: string;
    readonly reactive?: boolean;
    /** Below the first widget that fits this. */
    readonly inside?: Query;
    /** Has something in it that fits this. */
    readonly has?: Query;
    /** The how manieth of those that fit, 0 by default. */
    readonly nth?: number;
}

/** JavaScript that gnome-shell runs once: `globalThis.lab`, its eyes and its hands. For 48 and later. */
export const shellDriver = String.raw`
(() => {
    const {Atk, Clutter, GLib, St} = imports.gi;
    const backend = global.stage.get_context?.().get_backend() ?? Clutter.get_default_backend();
    const seat = backend.get_default_seat();
    const pointer = seat.create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE);
    const keyboard = seat.create_virtual_device(Clutter.InputDeviceType.KEYBOARD_DEVICE);
    const now = () => GLib.get_monotonic_time();
    const pause = ms => new Promise(resolve => {
        GLib.timeout_add(GLib.PRIORITY_DEFAULT, ms, () => {
            resolve();
            return GLib.SOURCE_REMOVE;
        });
    });

    // (Atk.Action has a method of the same name that would be taken for it.)
    const nameOf = actor => {
        const accessible = actor.get_accessible?.();
        const name = accessible ? Atk.Object.prototype.get_name.call(accessible) : null;
        return name || actor.accessible_name || '';
    };
    const classesOf = actor => actor instanceof St.Widget ? (actor.style_class ?? '').split(/\s+/) : [];
    const typeOf = actor => actor.constructor.$gtype?.name ?? '';
    function textsOf(actor, found = []) {
        if (!actor.mapped)
            return found;
        if (actor instanceof St.Label || actor instanceof Clutter.Text)
            found.push(actor.text);
        else
            for (const child of actor.get_children())
                textsOf(child, found);
        return found.filter(text => text);
    }
    function* below(actor) {
        for (const child of actor.get_children()) {
            if (!child.mapped)
                continue;
            yield child;
            yield* below(child);
        }
    }
    function fits(actor, query) {
        if (query.name !== undefined && nameOf(actor) !== query.name)
            return false;
        if (query.styleClass !== undefined && !classesOf(actor).includes(query.styleClass))
            return false;
        if (query.type !== undefined && typeOf(actor).split(/[_:]/).at(-1) !== query.type)
            return false;
        if (query.reactive !== undefined && actor.reactive !== query.reactive)
            return false;
        if (query.label !== undefined && textsOf(actor)[0] !== query.label)
            return false;
        return query.has === undefined || all(query.has, actor).length > 0;
    }
    function all(query, root = global.stage) {
        if (query.inside)
            root = first(query.inside, root);
        return root ? [...below(root)].filter(actor => fits(actor, query)) : [];
    }
    const first = (query, root) => all(query, root)[query.nth ?? 0] ?? null;

    function describe(actor) {
        const [x, y] = actor.get_transformed_position();
        const [width, height] = actor.get_transformed_size();
        const focus = global.stage.get_key_focus();
        const checked = actor.checked ?? actor.state;
        return {
            type: typeOf(actor),
            name: nameOf(actor),
            text: textsOf(actor).join('\n'),
            styleClass: classesOf(actor).join(' '),
            checked: typeof checked === 'boolean' ? checked : null,
            reactive: actor.reactive,
            hasFocus: focus !== null && actor.contains(focus),
            box: {x, y, width, height},
        };
    }

    // where a person would point, or why nobody can
    async function target(query) {
        const actor = first(query);
        if (!actor)
            return {problem: 'not on the screen'};
        const {box} = describe(actor);
        // What is on its way is somewhere else by the time of the click.
        await pause(40);
        if (first(query) !== actor || describe(actor).box.x !== box.x || describe(actor).box.y !== box.y)
            return {problem: 'moving'};
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        let view = actor.get_parent();
        while (view && !(view instanceof St.ScrollView))
            view = view.get_parent();
        if (view) {
            const frame = describe(view).box;
            if (y < frame.y + 2 || y > frame.y + frame.height - 2) {
                return {
                    scroll: y < frame.y + 2 ? -1 : 1,
                    x: frame.x + frame.width / 2,
                    y: frame.y + frame.height / 2,
                };
            }
        }
        const hit = global.stage.get_actor_at_pos(Clutter.PickMode.REACTIVE, x, y);
        if (!hit || !(actor.contains(hit) || hit.contains(actor)))
            return {problem: 'covered by ' + (hit ? typeOf(hit) + ' ' + nameOf(hit) : 'nothing')};
        return {x, y};
    }

    globalThis.lab = {
        find: query => all(query).map(describe),
        target,
        // again where it got stuck: a shell starts with the pointer caught in its hot corner
        async move(x, y) {
            for (let tries = 0; tries < 5; tries++) {
                pointer.notify_absolute_motion(now(), x, y);
                await pause(20);
                const [atX, atY] = global.get_pointer();
                if (Math.hypot(atX - x, atY - y) < 2)
                    return;
            }
        },
        async click(x, y, button = Clutter.BUTTON_PRIMARY) {
            await this.move(x, y);
            pointer.notify_button(now(), button, Clutter.ButtonState.PRESSED);
            await pause(30);
            pointer.notify_button(now(), button, Clutter.ButtonState.RELEASED);
            await pause(30);
        },
        async scroll(x, y, direction) {
            await this.move(x, y);
            pointer.notify_discrete_scroll(now(),
                direction < 0 ? Clutter.ScrollDirection.UP : Clutter.ScrollDirection.DOWN,
                Clutter.ScrollSource.WHEEL);
            await pause(60);
        },
        async keys(names) {
            const values = names.map(name => Clutter['KEY_' + name]);
            const unknown = values.indexOf(undefined);
            if (unknown >= 0)
                throw new Error('no key is called ' + names[unknown]);
            for (const value of values)
                keyboard.notify_keyval(now(), value, Clutter.KeyState.PRESSED);
            await pause(20);
            for (const value of values.reverse())
                keyboard.notify_keyval(now(), value, Clutter.KeyState.RELEASED);
            await pause(30);
        },
        async type(text) {
            for (const character of text) {
                const value = Clutter.unicode_to_keysym(character.codePointAt(0));
                keyboard.notify_keyval(now(), value, Clutter.KeyState.PRESSED);
                await pause(8);
                keyboard.notify_keyval(now(), value, Clutter.KeyState.RELEASED);
                await pause(8);
            }
        },
    };
    return true;
})()
`;
