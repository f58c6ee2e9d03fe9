// The front page's conversation: nothing of the model is loaded before its button is pressed.
(() => {
  const at = (id) => document.getElementById(id)
  const start = at('talk-start'), note = at('talk-note')
  if (!start) return
  if (location.protocol === 'file:') {
    note.textContent = 'This page was opened as a file, and a browser lets no such page load a model. In a terminal: '
    note.append(Object.assign(document.createElement('code'), { textContent: 'python -m http.server --directory build/site' }))
    note.append(', then open http://localhost:8000.')
    return
  }
  if (typeof WebAssembly === 'undefined') {
    note.textContent = 'This browser has no WebAssembly, or it is switched off (the Lockdown Mode of an iPhone does so): the model cannot run in it.'
    return
  }
  note.hidden = true
  start.hidden = false
  start.addEventListener('click', () => {
    const frame = Object.assign(document.createElement('iframe'), { id: 'talk-frame', src: 'talk/index.html', title: 'Conversation with the pocket model' })
    // Light or dark as the site is, whatever the device prefers.
    const dress = () => { frame.style.colorScheme = document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light' }
    dress()
    new MutationObserver(dress).observe(document.documentElement, { attributeFilter: ['data-theme'] })
    frame.addEventListener('load', () => frame.contentDocument?.getElementById('text')?.focus())
    start.replaceWith(frame)
  })
})()
