// Look at a page that chats, with a browser, as a person would: node tools/web_page.mjs MODULES < plan.json
// MODULES holds playwright-core, CHROME_PATH names the browser. The plan: {url, colour, width, height, seconds, instead, steps}, of which
// each step is [name, ...arguments] below, and instead = {prefix: folder} stands in for a server elsewhere. Prints one JSON
// object: what the steps found, what was requested, what went wrong.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

// 192.0.2.7 (RFC 5737) is this machine by an address that is neither https:// nor localhost: what a phone in the network gets to see.
const { chromium } = createRequire(resolve(process.argv[2], 'package.json'))('playwright-core')
const plan = JSON.parse(readFileSync(0, 'utf8'))
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP 192.0.2.7 127.0.0.1']

// Runs in the page: every text that is shown with less contrast than 4.5, and how far the page is wider than the screen.
function look() {
  const parse = (colour) => (colour.match(/[\d.]+/g) || []).map(Number)
  const paper = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor)
      if (a > 0.99 && r !== undefined) return [r, g, b]
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255]
  }
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((x, y) => x - y)
    return (light + 0.05) / (dark + 0.05)
  }
  const seen = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement
    if (!text || parent.closest('script, style, .unseen') || !parent.checkVisibility({ visibilityProperty: true })) continue
    seen.push({ what: text.slice(0, 40), ratio: Math.round(100 * contrast(parse(getComputedStyle(parent).color).slice(0, 3), paper(parent))) / 100 })
  }
  const page = document.documentElement
  return { texts: seen.length, least: Math.min(...seen.map((one) => one.ratio)), pale: seen.filter((one) => one.ratio < 4.5),
    wider: page.scrollWidth - page.clientWidth, background: getComputedStyle(document.body).backgroundColor,
    unlabelled: [...document.querySelectorAll('input, textarea, button, select')].filter((e) => e.checkVisibility()
      && !e.labels?.length && !e.textContent.trim() && !e.getAttribute('aria-label')).map((e) => e.outerHTML.slice(0, 80)) }
}

const browser = await chromium.launch({ executablePath: process.env.CHROME_PATH, args: FLAGS })
const context = await browser.newContext({ colorScheme: plan.colour ?? 'light', viewport: { width: plan.width ?? 1280, height: plan.height ?? 800 } })
const page = await context.newPage()
const found = { requests: [], errors: [], steps: [] }
const homes = [new URL(plan.url).origin, ...(plan.allowed ?? [])]
context.on('request', (request) => found.requests.push(request.url()))
page.on('console', (message) => message.type() === 'error' && found.errors.push(message.text()))
page.on('pageerror', (error) => found.errors.push(String(error)))
await context.route(/^https?:/, (route) => {
  const url = route.request().url()
  for (const [prefix, folder] of Object.entries(plan.instead ?? {}))
    if (url.startsWith(prefix))
      return route.fulfill({ path: join(folder, url.slice(prefix.length)), headers: { 'Access-Control-Allow-Origin': '*' } })
  return homes.some((home) => url.startsWith(home)) ? route.continue() : route.abort()
})
const LIMIT = { timeout: 1000 * (plan.seconds ?? 30) } // of each step
const devtools = await context.newCDPSession(page) // playwright's own way to evaluate is what a page's policy forbids
async function evaluate(expression) {
  const { result, exceptionDetails } = await devtools.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
  if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
  return result.value
}
async function until(expression) {
  const began = Date.now(), pause = () => Math.min(500, 20 + (Date.now() - began) / 50) // often at first, then rarely
  for (; Date.now() < began + LIMIT.timeout; await new Promise((done) => setTimeout(done, pause())))
    if (await evaluate(expression)) return true
  throw new Error(`never: ${expression}`)
}
// What axe-core finds: rules of WCAG 2.2 up to level AA, the order of headings, and whether a page has a first one.
// Transitions end first: a colour on its way from light to dark is paler than either. And what scripts still do to a
// page, such as stops for the keyboard, is done within half a second of its last font.
const STILL = `(() => { const sheet = new CSSStyleSheet()
  sheet.replaceSync('*, ::before, ::after { transition: none !important; animation: none !important }')
  document.adoptedStyleSheets.push(sheet) })()`
async function axe() {
  await until("document.readyState === 'complete'")
  await evaluate(`document.fonts.ready.then(() => new Promise((done) => setTimeout(done, 500)))`)
  await evaluate(STILL)
  await evaluate(`${readFileSync(join(process.argv[2], 'node_modules/axe-core/axe.min.js'), 'utf8')}; true`)
  return evaluate(`axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], iframes: false, resultTypes: ['violations'],
    rules: { 'heading-order': { enabled: true }, 'page-has-heading-one': { enabled: true }, 'empty-heading': { enabled: true } } })
    .then((found) => found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.length,
      where: nodes.slice(0, 3).map((one) => one.html.slice(0, 120) + ' ' + (one.any[0]?.message ?? '')) })))`)
}
const steps = {
  axe,
  goto: (url) => page.goto(url, { waitUntil: 'domcontentloaded', ...LIMIT }).then(() => true),
  before: (script) => page.addInitScript(script).then(() => true), // runs first in every page from then on
  wait: until,
  text: (selector) => page.locator(selector).first().innerText(LIMIT),
  fill: (selector, text) => page.locator(selector).first().fill(text, LIMIT).then(() => true),
  click: (selector) => page.locator(selector).first().click(LIMIT).then(() => true),
  key: (selector, name) => page.locator(selector).first().press(name, LIMIT).then(() => true), // focuses it first
  press: (key) => page.keyboard.press(key).then(() => true),
  eval: evaluate,
  look: () => evaluate(`(${look})()`),
  size: (width, height) => page.setViewportSize({ width, height }).then(() => true),
  colour: (colorScheme) => page.emulateMedia({ colorScheme }).then(() => true),
  picture: (path) => page.screenshot({ path }).then(() => true),
}
try {
  for (const [name, ...arguments_] of plan.steps) found.steps.push(await steps[name](...arguments_) ?? null)
} catch (error) {
  found.failed = String(error).slice(0, 1000)
}
await browser.close()
console.log(JSON.stringify(found))
