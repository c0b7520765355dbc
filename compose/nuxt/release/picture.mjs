// The shop's picture, drawn at build time: a wheel of thirty spokes in the release's colour.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'

const WIDTH = 320
const HEIGHT = 200

/** Write the picture of a release to a file, as PNG. */
export function writePicture(file, release) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, png(release))
}

function png(release) {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(WIDTH, 0)
  header.writeUInt32BE(HEIGHT, 4)
  header.set([8, 2, 0, 0, 0], 8) // eight bits each of red, green and blue
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels(release))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

function pixels(release) {
  const rows = Buffer.alloc(HEIGHT * (1 + 3 * WIDTH)) // each row begins with its filter: none
  const [red, green, blue] = colour(release)
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const angle = Math.atan2(y - HEIGHT / 2, x - WIDTH / 2)
      const shade = 0.75 + 0.25 * Math.sin(30 * angle)
      rows.set([red * shade, green * shade, blue * shade], y * (1 + 3 * WIDTH) + 1 + 3 * x)
    }
  }
  return rows
}

function colour(release) {
  return release === 'a' ? [66, 120, 200] : [220, 120, 40]
}
