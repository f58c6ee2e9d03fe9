// A chat with the GGUF file beside this page: llama.cpp, compiled to WebAssembly (wllama), runs it in this browser.
// settings, which the export has written into index.html: file, sha256, context, tokens, examples, engine.
const at = (id) => document.getElementById(id)
const settings = JSON.parse(at('settings').textContent)
const seconds = (from = 0) => ((performance.now() - from) / 1000).toFixed(1)

let engine = null // a Wllama with the model loaded
let said = [] // the conversation: {role, content}
let cost = [] // tokens of each exchange, as llama.cpp counted them
let writing = null // the AbortController of the reply that is being written

// --- loading

class Trouble extends Error {} // its message is a sentence for people

function memory64() {
  try {
    return Boolean(new WebAssembly.Memory({ address: 'i64', initial: 1n }))
  } catch {
    return false
  }
}

function lack() {
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]
  if (typeof WebAssembly === 'undefined')
    return 'This browser has no WebAssembly, or it is switched off (the Lockdown Mode of an iPhone does so): allow it for this page, or take another browser.'
  if (!WebAssembly.validate(new Uint8Array(simd)))
    return 'The WebAssembly of this browser is too old (it has no SIMD): a browser from 2023 or newer will do.'
  return ''
}

// A file of the engine, which must have the hash that the export knows: the address of a copy in memory.
async function part(name, type) {
  const { url, integrity } = settings.engine[name]
  try {
    const answer = await fetch(url, { integrity, credentials: 'omit' })
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type }))
  } catch (error) {
    const cure = url.startsWith('https:')
      ? 'it comes from the network when this page is opened: is there one? With npm installed, workshop export --to web puts it beside the page.'
      : 'copy the whole folder again.'
    throw new Trouble(`The engine's file ${url} cannot be had, or is not the one that was exported (${error.message}): ${cure}`)
  }
}

async function loadEngine() {
  const { Wllama } = await import(await part('main', 'text/javascript'))
  // Without a cache of its own: browsers offer the storage for it at https:// only, and the file is in memory anyway.
  const options = { suppressNativeLog: true, cacheManager: {}, logger: { ...console, debug() {}, log() {} } }
  // Safari, and browsers before 2025, lack what the usual build needs; a slower one does without.
  if (!WebAssembly.Suspending && !/Firefox/.test(navigator.userAgent) || !memory64()) {
    const wasm = await part('compat_wasm', 'application/wasm')
    const made = new Wllama({ default: wasm }, options)
    made.setCompat({ worker: await part('compat_main', 'text/javascript'), wasm }, 'firefox_safari')
    return made
  }
  const made = new Wllama({ default: await part('wasm', 'application/wasm') }, options)
  made.setCompat(null)
  return made
}

async function loadFile() {
  let answer
  try {
    answer = await fetch(settings.file)
  } catch (error) {
    throw new Trouble(`${settings.file} cannot be loaded (${error.message}): is the server still running?`)
  }
  if (!answer.ok)
    throw new Trouble(`${settings.file} is not beside this page (status ${answer.status}): copy the whole folder.`)
  const chunks = [], total = Number(answer.headers.get('Content-Length')) || settings.bytes
  let got = 0
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    at('progress').value = (got += value.length) / total
  }
  return new Blob(chunks)
}

async function check(file) {
  if (!globalThis.crypto?.subtle) {
    at('checked').textContent = 'Not checked: a browser computes hashes only at https:// and on the device that serves the page.'
    return
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  if (found !== settings.sha256) {
    at('checked').textContent = `Not the same: the file that was loaded has ${found}.`
    at('checked').className = 'wrong'
    throw new Trouble(`${settings.file} is not the file that was exported, its SHA-256 is another: copy the whole folder again.`)
  }
  at('checked').textContent = 'Checked: this browser computed the same of the file that it loaded.'
}

async function start() {
  at('asleep').hidden = true
  at('about').open = matchMedia('(min-width: 62rem)').matches
  if (lack()) throw new Trouble(lack())
  at('status').textContent = 'Loading the model'
  const [made, file] = await Promise.all([loadEngine(), loadFile()])
  await check(file)
  const asked = Number(new URLSearchParams(location.search).get('threads'))
  // Several threads need the two headers that workshop serve sends, and are worth it for large models only.
  const threads = asked || (crossOriginIsolated && file.size > 2e8 ? Math.min(4, navigator.hardwareConcurrency / 2) : 1)
  await made.loadModel([file], { n_ctx: settings.context, n_threads: Math.max(1, Math.floor(threads)), n_gpu_layers: 0, n_parallel: 1 })
  engine = made
  at('progress').style.visibility = 'hidden'
  document.body.dataset.ready = Math.round(performance.now()) // ms since the page was asked for
  at('status').textContent = `Ready, after ${seconds()} s`
  at('send').disabled = false
}

function trouble(error) {
  at('trouble').hidden = false
  at('trouble').textContent = error instanceof Trouble ? error.message : `The model could not be started: ${error.message ?? error}`
  at('status').textContent = 'Not ready'
  at('progress').style.visibility = 'hidden'
}

// --- talking

function add(kind, text) {
  const made = document.createElement('p')
  made.className = kind
  made.textContent = text
  at('log').append(made)
  return made
}

function show(busy) {
  at('stop').hidden = !busy
  at('send').hidden = busy
}

// Forget the oldest exchange, as long as the conversation and a reply do not fit into what the model sees.
function makeRoom(text) {
  const needed = () => cost.reduce((a, b) => a + b, 0) + text.length / 2 + settings.tokens
  let forgot = 0
  while (said.length && needed() > settings.context) {
    said = said.slice(2)
    cost = cost.slice(1)
    forgot++
  }
  return forgot
}

async function ask(text) {
  at('empty').hidden = true
  at('trouble').hidden = true
  add('you', text)
  const before = { said, cost }
  let forgot = makeRoom(text)
  const reply = add('model', ''), note = add('note', '')
  reply.setAttribute('aria-busy', 'true')
  at('spoken').textContent = 'The model is writing.'
  writing = new AbortController()
  show(true)
  const mine = writing, began = performance.now()
  let last = {}, why = ''
  try {
    await engine.createChatCompletion({
      messages: [...said, { role: 'user', content: text }], stream: true, abortSignal: mine.signal, max_tokens: settings.tokens,
      // What is left out would be llama.cpp's own choice: 40 tokens, the likeliest 95%, none below 5%.
      temperature: Number(at('temperature').value), top_k: 0, top_p: 1, min_p: 0,
      onData(piece) {
        const low = at('scroll').scrollHeight - at('scroll').scrollTop - at('scroll').clientHeight < 80
        reply.textContent += piece.choices?.[0]?.delta?.content ?? ''
        if (piece.timings) last = piece.timings
        if (piece.choices?.[0]?.finish_reason === 'length') why = `cut off after ${settings.tokens} tokens or at the end of what it sees`
        if (low) at('scroll').scrollTop = at('scroll').scrollHeight
      },
    })
  } catch (error) {
    why = mine.signal.aborted ? 'stopped' : `the engine stopped: ${error.message ?? error}`
    if (/exceed/.test(why)) why = `what was said is longer than the ${settings.context} tokens that the model sees: say it shorter, or begin a new conversation`
  }
  reply.removeAttribute('aria-busy')
  if (mine.forgotten) return // a new conversation has begun meanwhile
  writing = null
  show(false)
  if (reply.textContent) {
    said.push({ role: 'user', content: text }, { role: 'assistant', content: reply.textContent.trim() })
    const known = cost.reduce((a, b) => a + b, 0)
    const counted = (last.cache_n ?? 0) + (last.prompt_n ?? 0) + (last.predicted_n ?? 0) - known
    cost.push(counted > 0 ? counted : (text.length + reply.textContent.length) / 2)
  } else { // refused: as if it had not been said
    ({ said, cost } = before)
    forgot = 0
  }
  const speed = last.predicted_n ? `${last.predicted_n} tokens in ${seconds(began)} s, ${Math.round(last.predicted_per_second)} a second` : ''
  const left = forgot ? `the oldest ${forgot === 1 ? 'exchange' : `${forgot} exchanges`} no longer fitted and ${forgot === 1 ? 'is' : 'are'} forgotten` : ''
  note.dataset.speed = last.predicted_per_second ?? ''
  note.textContent = [speed, why, left].filter(Boolean).join('; ')
  at('spoken').textContent = reply.textContent || why
  at('scroll').scrollTop = at('scroll').scrollHeight
}

function send() {
  const text = at('text').value.trim()
  if (!text || !engine || writing) return
  at('text').value = ''
  fit()
  ask(text)
}

function fit() {
  at('text').style.height = 'auto'
  at('text').style.height = `${at('text').scrollHeight + 2}px`
}

function mean() {
  const value = Number(at('temperature').value)
  at('degrees').textContent = value.toFixed(1)
  at('meaning').textContent = value === 0 ? 'always the likeliest token' : value > 1 ? 'adventurous, often nonsense' : ''
}

at('form').addEventListener('submit', (event) => {
  event.preventDefault()
  send()
})
at('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  send()
})
at('text').addEventListener('input', fit)
at('temperature').addEventListener('input', mean)
at('stop').addEventListener('click', () => {
  writing?.abort()
  at('text').focus()
})
addEventListener('keydown', (event) => event.key === 'Escape' && writing?.abort())
at('new').addEventListener('click', () => {
  if (writing) {
    writing.forgotten = true
    writing.abort()
    writing = null
  }
  show(false)
  said = []
  cost = []
  at('log').replaceChildren()
  at('empty').hidden = false
  at('spoken').textContent = 'A new conversation.'
  at('text').focus()
})
for (const text of settings.examples) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet', textContent: text })
  button.addEventListener('click', () => {
    at('text').value = text
    send()
    at('text').focus()
  })
  at('examples').append(document.createElement('li'))
  at('examples').lastChild.append(button)
}
mean()
start().catch(trouble)
