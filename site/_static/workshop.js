// The theme gives what can be scrolled a stop for the keyboard: once more when the fonts are there, and lines as long as
// they will be.
addEventListener('load', () => document.fonts.ready.then(() => dispatchEvent(new Event('resize'))))
// The theme's search buttons are named by what stands on them, "Search Ctrl + K", and not by a part of it.
addEventListener('DOMContentLoaded', () => {
  for (const button of document.querySelectorAll('.search-button-field')) button.removeAttribute('aria-label')
})
