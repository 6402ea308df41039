// A cable between two programs: a TCP proxy that can be cut, stalled and laid again, and that keeps what
// went over it.
import net from 'node:net';

export class Cable {
    #server;
    #target;
    #pairs = new Set();
    #stalled = false;
    connections = 0;  // ever made
    heard = [];       // with `recording`: {outbound, bytes}, outbound towards the target
    recording = false;

    // `target` is "host:port". The cable's own address is in `address`.
    static async lay(t, target) {
        const cable = new Cable();
        cable.#target = target;
        cable.#server = net.createServer((near) => cable.#connect(near));
        await new Promise((resolve) => cable.#server.listen(0, '127.0.0.1', resolve));
        cable.address = `127.0.0.1:${cable.#server.address().port}`;
        t.after(() => {
            cable.cut();
            cable.#server.close();
        });
        return cable;
    }

    // Every connection ends at once, wherever its bytes are.
    cut() {
        for (const { near, far } of this.#pairs) {
            near.destroy();
            far.destroy();
        }
    }

    // The connection that has been there longest ends; false where there is none.
    cutOne() {
        const [oldest] = this.#pairs;
        oldest?.near.destroy();
        oldest?.far.destroy();
        return oldest !== undefined;
    }

    // For good: who connects is refused.
    close() {
        this.#server.close();
        this.cut();
    }

    // Bytes stay where they are, and nobody is told.
    stall() {
        this.#stalled = true;
        for (const { near, far } of this.#pairs) {
            near.pause();
            far.pause();
        }
    }

    resume() {
        this.#stalled = false;
        for (const { near, far } of this.#pairs) {
            near.resume();
            far.resume();
        }
    }

    #connect(near) {
        const [host, port] = this.#target.split(':');
        const far = net.connect(Number(port), host);
        const pair = { near, far };
        this.#pairs.add(pair);
        const end = () => {
            this.#pairs.delete(pair);
            near.destroy();
            far.destroy();
        };
        for (const socket of [near, far]) socket.on('error', end).on('close', end);
        ++this.connections;
        const pass = (outbound, sink) => (bytes) => {
            if (this.recording) this.heard.push({ outbound, bytes });
            sink.write(bytes);
        };
        near.on('data', pass(true, far));
        far.on('data', pass(false, near));
        if (this.#stalled) this.stall();
    }
}
