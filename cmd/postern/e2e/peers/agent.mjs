// What both MCP clients have in common: an OAuth memory for one run, and the
// walk from no token to a stepped-up call.
import { Loopback, Person } from './person.mjs';

// Memory is the storage an SDK's OAuthClientProvider asks for. It keeps what
// it was asked to authorize and which tokens came of it.
export class Memory {
  authorizations = [];
  saved = [];

  constructor(redirectUrl, clientMetadata) {
    this.redirectUrl = redirectUrl;
    this.clientMetadata = { redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none', ...clientMetadata };
  }

  state() { return (this.expectedState = crypto.randomUUID()); }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.current; }
  saveTokens(tokens) {
    this.current = tokens;
    this.saved.push({ type: tokens.token_type, scope: tokens.scope ?? null, refresh: 'refresh_token' in tokens });
  }
  // spoil makes the access token one that nobody signed.
  spoil() {
    const [header, claims, signature] = this.current.access_token.split('.');
    const other = signature[0] === 'A' ? 'B' : 'A';
    this.current = { ...this.current, access_token: [header, claims, other + signature.slice(1)].join('.') };
  }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  redirectToAuthorization(url) {
    this.pending = url;
    this.authorizations.push(Object.fromEntries(url.searchParams));
  }
}

// Agent drives one SDK: client, how it makes a transport, how it finishes an
// authorization, and the class of its "ask a person" error.
export class Agent {
  constructor(sdk, memory, person, loopback) {
    Object.assign(this, { ...sdk, memory, person, loopback, redirects: [] });
  }

  async connect() {
    this.transport = this.makeTransport();
    const renew = () => { this.transport = this.makeTransport(); };
    await this.#authorized(() => this.client.connect(this.transport), renew);
  }

  async call({ name, args, spoil }) {
    if (spoil) this.memory.spoil();
    const result = await this.#authorized(() => this.client.callTool({ name, arguments: args }));
    return { name, isError: result.isError ?? false, text: result.content.map(part => part.text).join('') };
  }

  async tools(...options) {
    return (await this.client.listTools(...options)).tools.map(tool => tool.name).sort();
  }

  // authorized runs act and, when it needs a person, asks one and runs it again, once.
  async #authorized(act, renew = () => {}) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof this.Unauthorized)) throw error;
    }
    const parameters = await this.person.authorize(this.memory.pending, this.loopback);
    this.redirects.push({ error: parameters.get('error'), iss: parameters.get('iss') });
    if (parameters.get('state') !== this.memory.expectedState) throw new Error('state does not come back');
    await this.finish(this.transport, parameters);
    renew();
    return act();
  }
}

// walk opens the loopback and the browser, lets make build the agent, and
// reports what came of every call the test asks for.
export async function walk(input, findings, make) {
  const loopback = new Loopback();
  await loopback.open();
  const person = new Person(input.user, input.decision ?? 'allow');
  await person.open(input.chromium);
  Object.assign(findings, { traffic: [], pages: person.pages, calls: [] });
  const agent = make(loopback, person);
  Object.assign(findings, {
    authorizations: agent.memory.authorizations, tokens: agent.memory.saved, redirects: agent.redirects,
  });
  try {
    await visit(agent, input, findings);
  } catch (error) {
    if (!agent.redirects.at(-1)?.error) throw error;
    findings.refused = `${error.code ?? error.name}`; // the person said no; this is what the SDK made of it
  } finally {
    await person.close();
    loopback.close();
  }
}

async function visit(agent, input, findings) {
  await agent.connect();
  findings.tools = await agent.tools();
  for (const call of input.calls) findings.calls.push(await agent.call(call));
  findings.toolsAfter = await agent.tools(undefined, { cacheMode: 'refresh' });
  findings.version = agent.version();
  findings.clientID = agent.memory.clientInformation({ issuer: '' })?.client_id;
  await agent.transport.terminateSession();
  await agent.client.close();
}
