// The theme's search buttons are named by what stands on them, "Search Ctrl + K", and not by a part of it.
addEventListener('DOMContentLoaded', () => {
  for (const button of document.querySelectorAll('.search-button-field')) button.removeAttribute('aria-label')
})
