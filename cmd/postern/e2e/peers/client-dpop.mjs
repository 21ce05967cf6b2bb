// @modelcontextprotocol/client with DPoP: from nothing to a stepped-up call.
import { Client, DpopSession, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { Agent, Memory, walk } from './agent.mjs';
import { report } from './input.mjs';
import { recordingFetch } from './traffic.mjs';

const name = 'postern-e2e-dpop';

class BoundMemory extends Memory {
  #session = DpopSession.create();

  constructor(redirectUrl) {
    super(redirectUrl, { client_name: name, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] });
  }

  dpop() { return this.#session; }
  saveDiscoveryState(state) { this.discovery = state; }
  discoveryState() { return this.discovery; }
}

// DocumentedMemory is known by a client ID metadata document. The SDK's own
// clientMetadataUrl takes https only, so a loopback document goes in as the
// client's identifier.
class DocumentedMemory extends BoundMemory {
  constructor(loopback) {
    super(loopback.redirect);
    this.clientID = `${loopback.origin}/client.json`;
    loopback.document = { client_id: this.clientID, ...this.clientMetadata };
  }

  clientInformation({ issuer }) { return { client_id: this.clientID, issuer }; }
}

await report((input, findings) => walk(input, findings, (loopback, person) => {
  const memory = input.registration === 'document' ? new DocumentedMemory(loopback) : new BoundMemory(loopback.redirect);
  const client = new Client({ name, version: '1.0.0' }, { versionNegotiation: { mode: input.mode } });
  return new Agent({
    client,
    makeTransport: () => new StreamableHTTPClientTransport(new URL(input.url), {
      authProvider: memory,
      fetch: recordingFetch(findings.traffic),
    }),
    finish: (transport, parameters) => transport.finishAuth(parameters),
    version: () => client.getNegotiatedProtocolVersion(),
    Unauthorized: UnauthorizedError,
  }, memory, person, loopback);
}));
