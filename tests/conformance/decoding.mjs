// A client that accepts a coding, for a suite that knows of none: around `fetch`, it asks for the coding, decodes, and
// shows each response as if it had never been coded. It is strict about how that is done: a coded response has to say
// all that RFC 9110 wants of one.

const CODED = 'br'

// Counts the responses that came coded.
export function decoding (fetch) {
  const client = { responses: 0, coded: 0 }
  // The entity tags that this client holds: as the suite knows them, and as they came.
  const held = new Map()

  client.fetch = async (url, init = {}) => {
    const response = await fetch(url, { ...init, headers: asking([...(init.headers ?? [])], held) })
    client.responses++
    const headers = new Headers(response.headers)
    const coding = headers.get('content-encoding')
    uncodeTag(headers, held)
    uncodeVary(headers, coding === CODED)
    const body = await whole(response)
    if (coding === CODED) {
      client.coded++
      headers.delete('content-encoding')
      headers.set('content-length', String(body.length))
    }
    return { status: response.status, statusText: response.statusText, headers, text: async () => body.text() }
  }
  return client
}

// Of a range, a client wants a part of the content: the Fetch standard has it ask for identity then.
function asking (headers, held) {
  const ranged = headers.some(([name]) => name.toLowerCase() === 'range')
  const asked = ranged ? headers : headers.map(([name, value]) => /^if-(none-)?match$/i.test(name) ? [name, codedTags(value, held)] : [name, value])
  return [...asked, ['Accept-Encoding', ranged ? 'identity' : CODED]]
}

function codedTags (condition, held) {
  return condition.replace(/"[^"]*"/g, tag => held.get(tag) ?? tag)
}

function uncodeTag (headers, held) {
  const tag = headers.get('etag')
  const plain = tag?.replace(new RegExp(`-${CODED}(\\.[0-9a-f]{8})?"$`), '"')
  if (plain === undefined || plain === tag) return
  held.set(plain.replace('W/', ''), tag.replace('W/', ''))
  headers.set('etag', plain)
}

function uncodeVary (headers, coded) {
  const members = (headers.get('vary') ?? '').split(',').map(each => each.trim())
  const others = members.filter(each => each !== 'accept-encoding')
  if (coded && others.length === members.length && !members.includes('*')) {
    throw new Error(`a coded response that varies by ${members} only`)
  }
  if (others.length === members.length) return
  if (others.length === 0) headers.delete('vary')
  else headers.set('vary', others.join(', '))
}

// The body, or what came instead of its end.
async function whole (response) {
  try {
    const bytes = new Uint8Array(await response.arrayBuffer())
    return { length: bytes.length, text: () => new TextDecoder().decode(bytes) }
  } catch (cut) {
    return { length: 0, text: () => { throw cut } }
  }
}
