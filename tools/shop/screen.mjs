// Printing for people: colours and a progress bar on a terminal, plain lines otherwise.
const out = process.stdout;
const isTerminal = Boolean(out.isTTY) && process.env.TERM !== 'dumb';
const hasColour = isTerminal && !process.env.NO_COLOR;

// Whoever reads us may stop reading (`| head`): the demo still ends what it has started.
out.on('error', () => {});

const paint = (code) => (text) => (hasColour ? `\x1b[${code}m${text}\x1b[0m` : String(text));
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

const kBarCells = 30;
const kRedrawMs = 80;
let barIsDrawn = false;
let drawnAt = 0;

function wipe() {
    if (barIsDrawn) out.write('\r\x1b[K');
    barIsDrawn = false;
}

export function line(text = '') {
    wipe();
    out.write(text + '\n');
}
export const heading = (text) => line('\n' + bold(text));

// Redrawn at most every few milliseconds; nothing where nobody watches.
export function progress(title, done, total, note = '') {
    if (!isTerminal || (Date.now() - drawnAt < kRedrawMs && done !== total)) return;
    drawnAt = Date.now();
    const filled = total === 0 ? 0 : Math.floor((Math.min(done, total) * kBarCells) / total);
    out.write(`\r\x1b[K${title} [${'#'.repeat(filled)}${'.'.repeat(kBarCells - filled)}] ${done}/${total} ${note}`);
    barIsDrawn = true;
}
export const progressEnd = wipe;

// Rows of cells, the first row the headings; all but the first column to the right.
export function table(rows, indent = '  ') {
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column]].length)));
    rows.forEach((row, index) => {
        const cells = row.map((cell, column) => {
            const spaces = ' '.repeat(widths[column] - [...cell].length);
            return column === 0 ? cell + spaces : spaces + cell;
        });
        const text = indent + cells.join('  ').trimEnd();
        line(index === 0 ? dim(text) : text);
    });
}
