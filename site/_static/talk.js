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
    const rules = [] // of the page's style that ask what the device prefers
    const dress = () => { // light or dark as the site is
      const theme = document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'
      frame.style.colorScheme = frame.contentDocument.documentElement.style.colorScheme = theme
      for (const rule of rules) rule.media.mediaText = theme === 'dark' ? 'all' : 'not all'
    }
    new MutationObserver(dress).observe(document.documentElement, { attributeFilter: ['data-theme'] })
    frame.addEventListener('load', () => {
      for (const sheet of frame.contentDocument.styleSheets)
        rules.push(...[...sheet.cssRules].filter((rule) => /color-scheme/.test(rule.media?.mediaText)))
      dress()
      frame.contentDocument.getElementById('text')?.focus()
    })
    start.replaceWith(frame)
  })
})()
