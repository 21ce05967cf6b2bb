// People at browsers, each window with cookies of its own, by the keyboard
// alone: what is to be reached is reached by Tab. One step comes as one line on
// stdin, and what became of it goes out as one line; steps of different windows
// may be under way together. It ends with its stdin.
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

console.log = console.info = console.error; // stdout belongs to the answers

const patience = 15_000;
const stops = 200; // a page has fewer places that Tab stops at

// away says how many stops of Tab an element seems to be away, so that not after
// each one has to be asked where the focus is.
function away(element) {
  const all = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')];
  const places = all.filter(place => place.type !== 'hidden' && !place.disabled && place.checkVisibility());
  return places.indexOf(element) - places.indexOf(document.activeElement);
}

class Window {
  held = null; // the callback that was stopped on its way

  constructor(page, landed) {
    this.page = page;
    this.landed = landed;
  }

  // reach goes on by Tab until the focus is on what is meant.
  async reach(selector) {
    const target = this.page.locator(selector).locator('visible=true').first();
    await target.waitFor();
    for (let ahead = await target.evaluate(away); ahead > 1; ahead--) await this.page.keyboard.press('Tab');
    for (let stop = 0; stop < stops; stop++) {
      if (await target.evaluate(element => element === document.activeElement)) return;
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`no Tab leads to ${selector}`);
  }

  // follow does something that leads to another page, and waits for that.
  async follow(act) {
    await this.page.evaluate(() => { window.left = false; });
    await act();
    await this.page.waitForFunction(() => window.left === undefined && document.readyState === 'complete');
  }

  async enter() {
    await this.follow(() => this.page.keyboard.press('Enter'));
  }

  async press({ on }) {
    await this.reach(on);
    await this.enter();
  }

  // strike is press for what changes the page that it is on.
  async strike({ on, key }) {
    await this.reach(on);
    await this.page.keyboard.press(key);
  }

  // type writes into a field, in place of what was in it.
  async type({ on, text }) {
    await this.reach(on);
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.insertText(text);
  }

  async open({ url }) {
    await this.page.goto(url);
  }

  async leave({ label }) {
    await this.press({ on: `button:has-text("Sign in with ${label}")` });
  }

  async there({ account, acr }) {
    await this.type({ on: 'input[name=account]', text: account });
    if (acr) await this.type({ on: 'input[name=acr]', text: acr });
    await this.press({ on: 'button[value=yes]' });
  }

  async cancel() {
    await this.press({ on: 'button[value=no]' });
  }

  async here({ username, password }) {
    if (await this.page.locator('input[name=username]').isVisible()) await this.type({ on: 'input[name=username]', text: username });
    await this.type({ on: 'input[name=password]', text: password });
    await this.enter();
  }

  async decide({ decision }) {
    await this.press({ on: `button[name=decision][value=${decision}]` });
  }

  // choose goes to what can be pressed and says something, and presses it.
  async choose({ says }) {
    await this.press({ on: `:is(a, button):has-text("${says}")` });
  }

  // hold stops the next callback, redirects included, and keeps its address.
  async hold() {
    this.blocker = await this.page.context().newCDPSession(this.page);
    this.stopped = new Promise(resolve => {
      this.blocker.on('Fetch.requestPaused', async ({ requestId, request }) => {
        await this.blocker.send('Fetch.fulfillRequest', { requestId, responseCode: 200, body: btoa('held') });
        resolve(request.url);
      });
    });
    await this.blocker.send('Fetch.enable', { patterns: [{ urlPattern: '*/login/with/*/callback*' }] });
  }

  async release() {
    this.held = await Promise.race([this.stopped, this.page.waitForTimeout(patience)]);
    await this.page.waitForSelector('body:has-text("held")');
    await this.blocker.detach();
  }

  async visit({ from, instead, as }) {
    const url = windows.get(from).held;
    await this.page.goto(instead ? url.replace(`/with/${instead}/`, `/with/${as}/`) : url);
  }

  async read({ until }) {
    if (until === 'landed') await this.page.waitForURL(this.landed);
    else await this.page.waitForSelector(`body:has-text("${until}")`);
    return { url: this.page.url(), text: await this.page.locator('body').innerText() };
  }

  // look gives what one thing on the page says, or holds when it is a field.
  async look({ on }) {
    const target = this.page.locator(on).first();
    await target.waitFor({ state: 'attached' });
    return { url: this.page.url(), text: await target.evaluate(element => element.value ?? element.innerText) };
  }

  // device is one that keeps passkeys; its owner says yes while it is at hand.
  async device() {
    this.keys = await this.page.context().newCDPSession(this.page);
    await this.keys.send('WebAuthn.enable');
    this.device = await this.keys.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: false },
    });
  }

  async hand({ is }) {
    await this.keys.send('WebAuthn.setAutomaticPresenceSimulation', { ...this.device, enabled: is === 'there' });
  }

  // touch goes to something that asks for a passkey, and takes the device out of
  // the pocket until that was answered.
  async touch({ on }) {
    await this.reach(on);
    await this.hand({ is: 'there' });
    await this.follow(async () => {
      const answered = this.page.waitForEvent('framenavigated');
      await this.page.keyboard.press('Enter');
      await answered;
      await this.hand({ is: 'away' });
    });
  }

  // copy makes of the passkeys on the device those of a backup, whose counters
  // begin anew.
  async copy() {
    const { credentials } = await this.keys.send('WebAuthn.getCredentials', this.device);
    for (const credential of credentials) {
      await this.keys.send('WebAuthn.removeCredential', { ...this.device, credentialId: credential.credentialId });
      await this.keys.send('WebAuthn.addCredential', { ...this.device, credential: { ...credential, signCount: 0 } });
    }
  }
}

const windows = new Map();
const empty = []; // windows that nobody sits at any more, without a cookie
let launched = null;

async function opened(name, { browser, landed }) {
  launched ??= chromium.launch({
    executablePath: browser,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const page = empty.pop() ?? (await (await (await launched).newContext()).newPage());
  page.setDefaultTimeout(patience);
  const window = new Window(page, `${landed}?**`);
  windows.set(name, window);
  return window;
}

// left takes somebody's window away. A new one takes Chromium half a second, so
// it is kept for the next, unless it has a device or stopped something.
async function left(name, { page, keys, blocker }) {
  windows.delete(name);
  if (keys || blocker) return page.context().close();
  await page.goto('about:blank');
  await page.context().clearCookies();
  empty.push(page);
}

async function take(step) {
  const at = windows.get(step.at) ?? (await opened(step.at, step));
  try {
    return await (step.do === 'close' ? left(step.at, at) : at[step.do](step));
  } catch (error) {
    const text = await at.page.locator('body').innerText().catch(() => '');
    return { error: `at ${at.page.url()}:\n${text}\n${error}` };
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', async line => {
  const step = JSON.parse(line);
  const answer = await take(step).catch(error => ({ error: String(error?.stack ?? error) }));
  process.stdout.write(`${JSON.stringify({ number: step.number, ...answer })}\n`);
});
lines.on('close', async () => {
  await (await launched)?.close();
  process.exit(0);
});
