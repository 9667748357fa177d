// SPDX-License-Identifier: GPL-2.0-or-later
// Text that wraps, in as many lines as it needs or its style's max-height lets it have.
import GObject from 'gi://GObject';
import Pango from 'gi://Pango';
import St from 'gi://St';

/** Of what is said beside the main thing, in light and in dark. */
export const DIM_OPACITY = 178;

export class Paragraph extends St.Label {
    static {
        GObject.registerClass({GTypeName: 'SnowControlParagraph'}, this);
    }

    constructor(props: Partial<St.Label.ConstructorProps>) {
        super(props);
        this.clutterText.set({
            lineWrap: true,
            lineWrapMode: Pango.WrapMode.WORD_CHAR,
            ellipsize: Pango.EllipsizeMode.END,
        });
    }

    /** A scrolled box gives no more than the minimum, which is one line of a text with an ellipsis. */
    override vfunc_get_preferred_height(width: number): [number, number] {
        const [, height] = super.vfunc_get_preferred_height(width);
        return [height, height];
    }
}
