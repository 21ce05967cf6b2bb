// @modelcontextprotocol/sdk, the 2025-11-25 client with bearer tokens: from
// nothing to a stepped-up call.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Agent, Memory, walk } from './agent.mjs';
import { report } from './input.mjs';
import { recordingFetch } from './traffic.mjs';

const name = 'postern-e2e-bearer';

function finish(transport, parameters) {
  if (!parameters.has('code')) throw new Error(`no code: ${parameters}`);
  return transport.finishAuth(parameters.get('code'));
}

await report((input, findings) => walk(input, findings, (loopback, person) => {
  const memory = new Memory(loopback.redirect, { client_name: name, ...(input.grants && { grant_types: input.grants }) });
  const agent = new Agent({
    client: new Client({ name, version: '1.0.0' }),
    makeTransport: () => new StreamableHTTPClientTransport(new URL(input.url), {
      authProvider: memory,
      fetch: recordingFetch(findings.traffic),
    }),
    finish,
    version: () => agent.transport.protocolVersion,
    Unauthorized: UnauthorizedError,
  }, memory, person, loopback);
  return agent;
}));
