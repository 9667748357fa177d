// SPDX-License-Identifier: GPL-2.0-or-later
// The menu of a toggle: its content is made when it first opens, and it keeps to the screen.
import St from 'gi://St';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import type {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import type {MenuContent} from './menu-content.js';

/** Logical pixels between the menu and the edge of the screen. */
const SCREEN_MARGIN = 12;

export class ToggleMenu<Content extends MenuContent> {
    #toggle: QuickMenuToggle;
    #createContent: () => Content;
    #onOpen: () => void;
    #content: Content | null = null;

    /**
     * @param onOpen called just before the menu measures itself to open
     * @param onClick for a toggle where there is one thing to toggle; false: not now
     */
    constructor(
        toggle: QuickMenuToggle,
        createContent: () => Content,
        onOpen: () => void,
        onClick: () => boolean = () => false,
    ) {
        this.#toggle = toggle;
        this.#createContent = createContent;
        this.#onOpen = onOpen;

        toggle.connect('clicked', () => {
            if (!onClick()) toggle.menu.open();
        });
        const {actor} = toggle.menu;
        actor.connect('notify::visible', () => {
            if (actor.visible) this.#onShown();
        });
        actor.connect('notify::allocation', () => this.#keepOnScreen());
    }

    /** Null while nobody sees it. */
    get content(): Content | null {
        return this.#toggle.menu.actor.visible ? this.#content : null;
    }

    /** The shell leaves the menu of a toggle behind. */
    destroy(): void {
        this.#toggle.menu.destroy();
    }

    #onShown(): void {
        const {menu} = this.#toggle;
        if (!this.#content) {
            this.#content = this.#createContent();
            menu.box.add_child(this.#content);
        }
        this.#content.fit(menu);
        this.#onOpen();
    }

    /** Where there is not enough room below the toggle, the menu covers the toggles above, too. */
    #keepOnScreen(): void {
        const {actor} = this.#toggle.menu;
        const {y, height} = Main.layoutManager.getWorkAreaForMonitor(
            Main.layoutManager.primaryIndex,
        );
        const {scaleFactor} = St.ThemeContext.get_for_stage(global.stage);
        const [, top] = this.#toggle.get_transformed_position();
        const bottom = top + this.#toggle.height + actor.height;
        actor.translationY = Math.min(0, y + height - SCREEN_MARGIN * scaleFactor - bottom);
    }
}
