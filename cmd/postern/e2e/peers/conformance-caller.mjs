// Preloaded into the conformance suite, which cannot send credentials: every
// request to the proxy gets an access token, and a proof of its own where the
// token is bound to a key. Nothing else about a request is changed.
//
// POSTERN_CALLER is {resource, token_endpoint, client: {client_id,
// client_secret}, bound}.
import http from 'node:http';
import https from 'node:https';
import { Agent, setGlobalDispatcher } from 'undici';
import { ProofKey } from './proof-key.mjs';

const caller = JSON.parse(process.env.POSTERN_CALLER);
const resource = new URL(caller.resource);
const key = caller.bound ? new ProofKey() : null;
const token = await accessToken();

// accessToken is by client credentials (RFC 6749 §4.4), for one resource.
async function accessToken() {
  const { client_id: id, client_secret: secret } = caller.client;
  const headers = { authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}` };
  const ask = () => fetch(caller.token_endpoint, {
    method: 'POST',
    headers: key ? { ...headers, dpop: key.proof('POST', caller.token_endpoint) } : headers,
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: caller.resource }),
  });
  let answer = await ask();
  if (key?.learn(caller.token_endpoint, answer.headers.get('dpop-nonce')) && answer.status === 400) answer = await ask();
  const body = await answer.json();
  if (body.token_type !== (key ? 'DPoP' : 'Bearer')) throw new Error(`no ${key ? 'DPoP' : 'Bearer'} token: ${JSON.stringify(body)}`);
  return body.access_token;
}

function credentials(method, url) {
  if (!key) return { authorization: `Bearer ${token}` };
  return { authorization: `DPoP ${token}`, dpop: key.proof(method, url, token) };
}

// added puts headers beside those of a dispatch, in either of its forms.
function added(headers, more) {
  if (Array.isArray(headers)) return [...headers, ...Object.entries(more).flat()];
  const pairs = typeof headers?.[Symbol.iterator] === 'function' ? Object.fromEntries(headers) : headers;
  return { ...pairs, ...more };
}

// replayable makes a body that can be sent twice.
function replayable(body) {
  if (typeof body?.[Symbol.asyncIterator] !== 'function') return () => body;
  const chunks = [];
  const first = (async function* () {
    for await (const chunk of body) {
      chunks.push(chunk);
      yield chunk;
    }
  })();
  let sent = false;
  return () => {
    if (sent) return (async function* () { yield* chunks; })();
    sent = true;
    return first;
  };
}

// NonceRetry holds back a 401 that asks for a nonce (RFC 9449 §9) and sends
// the request once more; everything else passes.
class NonceRetry {
  constructor(handler, url, again) {
    Object.assign(this, { handler, url, again, held: false });
  }
  onRequestStart(...rest) { this.handler.onRequestStart?.(...rest); }
  onRequestUpgrade(...rest) { this.handler.onRequestUpgrade?.(...rest); }
  onResponseStart(controller, status, headers, message) {
    const learnt = key?.learn(this.url, headers['dpop-nonce']);
    this.held = status === 401 && learnt && this.again !== null && /use_dpop_nonce/.test(headers['www-authenticate']);
    if (!this.held) this.handler.onResponseStart?.(controller, status, headers, message);
  }
  onResponseData(controller, chunk) { if (!this.held) this.handler.onResponseData?.(controller, chunk); }
  onResponseEnd(controller, trailers) { this.held ? this.again() : this.handler.onResponseEnd?.(controller, trailers); }
  onResponseError(controller, error) { this.handler.onResponseError?.(controller, error); }
}

const toResource = url => url.origin === resource.origin && url.pathname === resource.pathname;

setGlobalDispatcher(new Agent().compose(dispatch => (options, handler) => {
  const url = new URL(options.path, options.origin);
  if (!toResource(url)) return dispatch(options, handler);
  const body = replayable(options.body);
  const send = again => dispatch(
    { ...options, body: body(), headers: added(options.headers, credentials(options.method, url)) },
    new NonceRetry(handler, url, again),
  );
  return send(() => send(null));
}));

// One request of the suite goes around undici, to send header lines that fetch
// would not.
for (const module of [http, https]) {
  const { request } = module;
  module.request = (...args) => {
    const made = request(...args);
    const url = new URL(made.path, `${made.protocol}//${args[0].hostname}:${args[0].port}`);
    if (!toResource(url)) return made;
    for (const [name, value] of Object.entries(credentials(made.method, url))) made.setHeader(name, value);
    made.prependListener('response', answer => key?.learn(url, answer.headers['dpop-nonce']));
    return made;
  };
}
