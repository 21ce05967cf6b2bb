// Someone at a browser: signs in, reads the consent page, decides, and is
// sent back to the client's loopback redirect.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { chromium } from 'playwright-core';

const browserFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const patience = 15_000;

// Loopback is the client's own listener: the redirect target, and the place
// of its client ID metadata document.
export class Loopback {
  #server = createServer((request, response) => this.#answer(request, response));
  #waiting = [];
  document = null;

  async open() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.origin = `http://127.0.0.1:${this.#server.address().port}`;
    this.redirect = `${this.origin}/callback`;
  }

  next() {
    return new Promise(resolve => this.#waiting.push(resolve));
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request, response) {
    const url = new URL(request.url, this.origin);
    if (url.pathname === '/client.json' && this.document) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(this.document));
      return;
    }
    if (url.pathname !== '/callback') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain' }).end('signed in, back to your client');
    this.#waiting.shift()?.(url.searchParams);
  }
}

export class Person {
  #browser;
  #page;
  pages = []; // everything shown to the person, in order

  constructor({ username, password }, decision) {
    Object.assign(this, { username, password, decision });
  }

  async open(executablePath) {
    this.#browser = await chromium.launch({ executablePath, args: browserFlags });
    this.#page = await this.#browser.newPage();
    this.#page.setDefaultTimeout(patience);
  }

  async close() {
    await this.#browser?.close();
  }

  // authorize visits the URL, fills in what it is shown and resolves to the
  // parameters of the redirect.
  async authorize(url, loopback) {
    const back = loopback.next();
    let params = null;
    back.then(found => (params = found));
    await this.#page.goto(String(url));
    for (let step = 0; params === null && step < 6; step++) await this.#act(back);
    if (params === null) throw new Error(`no redirect from ${this.#page.url()}:\n${await this.#text()}`);
    return params;
  }

  async #act(back) {
    if (this.#page.url().includes('/callback?')) return back;
    this.pages.push({ url: this.#page.url(), text: await this.#text() });
    const password = this.#page.locator('input[name=password]');
    if (await password.count()) {
      const name = this.#page.locator('input[name=username]');
      if (await name.isVisible()) await name.fill(this.username);
      await password.fill(this.password);
      return this.#leave(() => password.press('Enter'));
    }
    const button = this.#page.locator(`button[name=decision][value=${this.decision}]`);
    if (await button.count()) return this.#leave(() => button.click());
    throw new Error(`nothing to do on ${this.#page.url()}:\n${await this.#text()}`);
  }

  async #leave(act) {
    await Promise.all([this.#page.waitForNavigation({ waitUntil: 'load' }), act()]);
  }

  #text() {
    return this.#page.locator('body').innerText();
  }
}
