// One source, several builds: RELEASE is a text in the page, in the entry, in the gallery's chunk and in the picture.
import { fileURLToPath } from 'node:url'
import { writePicture } from '../release/picture.mjs'

const release = process.env.RELEASE || 'a'

// Nuxt's own names are hashes alone; these also tell what a file is.
const named = '_nuxt/[name].[hash].js'

const generated = fileURLToPath(new URL('./node_modules/.cache/shop', import.meta.url))

writePicture(`${generated}/picture.png`, release)

export default defineNuxtConfig({
  compatibilityDate: '2026-11-01',
  buildId: release,
  telemetry: false,
  devtools: { enabled: false },
  app: { head: { title: 'The shop', htmlAttrs: { lang: 'en' }, link: [{ rel: 'icon', href: 'data:,' }] } },
  alias: { '#generated': generated },
  css: ['~/assets/shop.css'],
  nitro: { replace: { __RELEASE__: JSON.stringify(release) } },
  vite: {
    define: { __RELEASE__: JSON.stringify(release) },
    $client: { build: { rollupOptions: { output: { entryFileNames: named, chunkFileNames: named } } } },
  },
  // Nothing is fetched ahead, neither by the page's <link rel="prefetch"> nor by links that are seen: a chunk is loaded when
  // it is needed, and what a tab asks for late is what a deployment breaks.
  experimental: { defaults: { nuxtLink: { prefetch: false } } },
  hooks: {
    'build:manifest'(manifest) {
      for (const file of Object.values(manifest)) {
        file.prefetch = false
        file.dynamicImports = []
      }
    },
  },
})
