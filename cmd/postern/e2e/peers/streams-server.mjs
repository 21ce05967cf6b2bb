// @modelcontextprotocol/sdk as a server of 2025-11-25 that keeps events, so
// that its streams can be resumed.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const text = words => ({ content: [{ type: 'text', text: words }] });

// slow reports progress, hangs up on the client, and answers nevertheless.
async function slow(extra) {
  const { progressToken } = extra._meta ?? {};
  if (progressToken !== undefined) {
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
  }
  extra.closeSSEStream?.();
  return text('at last');
}

function mcp() {
  const server = new McpServer({ name: 'streams', version: '1.0.0' });
  server.registerTool('echo', {}, () => text('done'));
  server.registerTool('slow', {}, slow);
  server.registerTool('risky', {}, () => text('done'));
  server.registerTool('hidden', {}, () => text('done'));
  return server;
}

// Events in the order they came. (The SDK's example sorts them by a clock of
// milliseconds and chance.)
class Events {
  #all = [];

  async storeEvent(stream, message) {
    this.#all.push({ stream, message });
    return `${stream}_${this.#all.length - 1}`;
  }

  async getStreamIdForEventId(id) {
    return this.#all[this.#at(id)]?.stream;
  }

  async replayEventsAfter(last, { send }) {
    const from = this.#at(last);
    const { stream } = this.#all[from];
    for (let i = from + 1; i < this.#all.length; i++) {
      if (this.#all[i].stream === stream && this.#all[i].message.jsonrpc) await send(`${stream}_${i}`, this.#all[i].message);
    }
    return stream;
  }

  #at = id => Number(id.slice(id.lastIndexOf('_') + 1));
}

const sessions = new Map();

async function begun() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new Events(),
    retryInterval: 10,
    onsessioninitialized: id => sessions.set(id, transport),
    onsessionclosed: id => sessions.delete(id),
  });
  await mcp().connect(transport);
  return transport;
}

const http = createServer(async (request, response) => {
  const id = request.headers['mcp-session-id'];
  const transport = id === undefined ? await begun() : sessions.get(id);
  if (transport) return transport.handleRequest(request, response);
  response.writeHead(404).end();
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
console.log(JSON.stringify({ url: `http://127.0.0.1:${http.address().port}/mcp` }));
createInterface({ input: process.stdin }).on('close', () => process.exit(0));
