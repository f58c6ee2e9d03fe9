// Look at finished decks with a browser, as the last row does: node tools/slides_render.mjs FOLDER [--png FOLDER] DECK.html ...
// Prints one JSON object a deck: what each slide, light and dark, spills, shrinks, or fails to load, and how many pages
// went out to ask somebody. tools/slides.py turns it into sentences. CHROME_PATH names the browser.
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [modules, ...rest] = process.argv.slice(2)
const pngs = rest[0] === '--png' ? rest.splice(0, 2)[1] : null
const { chromium } = createRequire(join(modules, 'package.json'))('playwright-core')
// The bar of buttons comes and goes with the mouse; points of a list that appear one by one are all shown.
const HOLD_STILL = '.bespoke-marp-osc { display: none !important } [data-bespoke-marp-fragment] { visibility: visible !important }'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']

// Runs in the page: one slide, the active one, in pixels of 1280 x 720.
function look() {
  const section = document.querySelector('svg.bespoke-marp-active section:not([data-marpit-advanced-background="background"]):not([data-marpit-advanced-background="pseudo"])')
  const scaleOf = (element) => {
    const block = element.closest('p, li, td, th, pre, h1, h2, h3, h4, div, footer, header, section, figcaption')
    return block && block.offsetWidth ? block.getBoundingClientRect().width / block.offsetWidth : 1
  }
  const frame = section.getBoundingClientRect()
  const foot = section.querySelector('footer')?.getBoundingClientRect()
  const floor = foot ? Math.min(foot.top, frame.bottom - 44) : frame.bottom - 20
  const parse = (colour) => (colour.match(/[\d.]+/g) || []).map(Number)
  const paper = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor)
      if (a > 0.99 && r !== undefined) return [r, g, b]
    }
    return [255, 255, 255]
  }
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((x, y) => x - y)
    return (light + 0.05) / (dark + 0.05)
  }
  const spills = [], small = [], pale = []
  const spill = (box, what) => {
    const by = { left: frame.left + 20 - box.left, right: box.right - frame.right + 20, top: frame.top - box.top, bottom: box.bottom - floor }
    for (const [side, px] of Object.entries(by)) if (px > 1) spills.push({ side, px: Math.round(px), what })
  }
  const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement
    if (!text || parent.closest('style, script, mjx-assistive-mml, title, desc')) continue
    const range = document.createRange()
    range.selectNodeContents(walker.currentNode)
    const box = range.getBoundingClientRect()
    if (!box.width) continue
    const style = getComputedStyle(parent), part = text.slice(0, 40)
    const px = parseFloat(style.fontSize) * scaleOf(parent)
    if (px < 17.95) small.push({ px: Math.round(px * 10) / 10, what: part })
    const ratio = contrast(parse(style.color).slice(0, 3), paper(parent))
    if (ratio < 4.5) pale.push({ ratio: Math.round(ratio * 100) / 100, what: part })
    if (!parent.closest('footer')) spill(box, part)
    const pre = parent.closest('pre')
    if (pre && pre.scrollWidth > pre.clientWidth + 1) spills.push({ side: 'right', px: pre.scrollWidth - pre.clientWidth, what: part })
  }
  const pictures = [...section.querySelectorAll('img')].map((img) => {
    const box = img.getBoundingClientRect(), style = getComputedStyle(img)
    const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight)
    const room = { width: box.width - padding, height: box.height - padding }
    const scale = Math.min(room.width / (img.naturalWidth || 1), room.height / (img.naturalHeight || 1))
    spill(box, `the picture "${img.alt.slice(0, 40)}"`)
    return { alt: img.alt, src: img.src, width: scale * img.naturalWidth, broken: !img.complete || !img.naturalWidth }
  })
  for (const maths of section.querySelectorAll('mjx-container')) spill(maths.getBoundingClientRect(), 'a formula')
  const over = [section.scrollHeight - section.clientHeight, section.scrollWidth - section.clientWidth]
  if (over[0] > 1 && !spills.length) spills.push({ side: 'bottom', px: over[0], what: 'the slide as a whole' })
  if (over[1] > 1 && !spills.length) spills.push({ side: 'right', px: over[1], what: 'the slide as a whole' })
  return { spills: spills.slice(0, 4), small: small.slice(0, 4), pale: pale.slice(0, 4), pictures }
}

const browser = await chromium.launch({ executablePath: process.env.CHROME_PATH, args: FLAGS })
for (const deck of rest) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } })
  const requests = []
  await page.route(/^(?!file:|data:|blob:|about:)/, (route) => {
    requests.push(route.request().url())
    return route.abort()
  })
  await page.goto(pathToFileURL(deck).href)
  await page.addStyleTag({ content: HOLD_STILL })
  const count = await page.locator('svg[data-marpit-svg]').count()
  const slides = []
  for (let number = 1; number <= count; number++) {
    await page.evaluate((n) => { location.hash = `#${n}` }, number)
    await page.waitForFunction((n) => [...document.querySelectorAll('svg[data-marpit-svg]')].findIndex((s) => s.classList.contains('bespoke-marp-active')) === n - 1, number)
    await page.evaluate(() => Promise.all([...document.images].map((img) => img.decode().catch(() => 0))))
    const views = {}
    for (const variant of ['light', 'dark']) {
      await page.evaluate((dark) => document.querySelectorAll('section').forEach((s) => s.classList.toggle('dark', dark)), variant === 'dark')
      views[variant] = await page.evaluate(look)
      if (pngs) {
        mkdirSync(pngs, { recursive: true })
        await page.screenshot({ path: join(pngs, `${basename(deck, '.html')}.${String(number).padStart(2, '0')}.${variant}.png`) })
      }
      for (const picture of views[variant].pictures) picture.src = createHash('sha256').update(picture.src).digest('hex')
    }
    slides.push(views)
  }
  console.log(JSON.stringify({ deck: basename(deck, '.html'), slides, requests }))
  await page.close()
}
await browser.close()
