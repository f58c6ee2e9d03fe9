// How Marp makes the slides: offline. Mathematics become SVG, emoji stay letters of the system's fonts, and pictures come
// as data URIs, which tools/slides.py has put in; markdown-it would refuse those of SVG.
import { fileURLToPath } from 'node:url'

const inlinePictures = ({ marp }) => {
  const usual = marp.markdown.validateLink
  marp.markdown.validateLink = (url) => /^data:image\/(svg\+xml|png);base64,/.test(url) || usual(url)
  return marp
}

export default {
  engine: inlinePictures,
  themeSet: fileURLToPath(new URL('theme.css', import.meta.url)),
  html: true,
  bespoke: { progress: false },
  options: { math: 'mathjax', emoji: { unicode: false, shortcode: false }, script: false },
}
