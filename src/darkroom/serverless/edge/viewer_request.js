// CloudFront runs this for every request, before its cache (runtime cloudfront-js-2.0, at most 10,240 bytes).
//
// It makes of a path without extension the path of one picture, by the Accept header, so that the cache is keyed by path
// alone; and it gives every path that can name no picture the same name, so that nonsense costs the bucket one request
// in ten seconds at most. The same as darkroom/edge/paths.py and darkroom/edge/negotiation.py:
// tests/infra/test_viewer_function.py runs both on one table, and on whatever else it can think of.
//
// The recipes come in when the stack is packaged: {"medium": [["image/avif", "avif"], ["image/jpeg", "jpg"]], …}.
const FORMATS = __FORMATS__;

const NOTHING = '/i/-';
const LONGEST = 100;
const ACCEPT_MAX = 1000;
const PICTURE = /^\/i\/[0-7][0-9a-hjkmnp-tv-z]{25}\/([a-z0-9-]{1,40})(\.[a-z0-9]{1,5})?$/;

function handler(event) {
    const request = event.request;
    const path = decoded(request.uri);
    if (!path.startsWith('/i/')) {
        return nothingHere();
    }
    request.uri = pictureOf(path, request.headers.accept);
    return request;
}

function pictureOf(path, accept) {
    const found = path.length > LONGEST ? null : PICTURE.exec(path);
    if (found === null || found[1] === 't') {
        return NOTHING;
    }
    if (found[2] !== undefined) {
        return path;
    }
    if (!Object.prototype.hasOwnProperty.call(FORMATS, found[1])) {
        return NOTHING;
    }
    return path + '.' + extension(FORMATS[found[1]], accept === undefined ? '' : textOf(accept));
}

function decoded(uri) {
    if (uri.indexOf('%') < 0) {
        return uri;
    }
    try {
        return decodeURIComponent(uri);
    } catch (error) {
        return uri;
    }
}

function textOf(header) {
    const all = header.multiValue === undefined ? [header] : header.multiValue;
    return all.map((one) => one.value).join(', ');
}

function extension(formats, accept) {
    const last = formats[formats.length - 1];
    const qualities = accept.length > ACCEPT_MAX ? {} : qualitiesOf(accept);
    let best = last[1];
    let bestQuality = qualityOfLast(last[0], qualities);
    for (let index = formats.length - 2; index >= 0; index -= 1) {
        const quality = qualities[formats[index][0]] || 0;
        if (quality > 0 && quality >= bestQuality) {
            best = formats[index][1];
            bestQuality = quality;
        }
    }
    return best;
}

function qualityOfLast(type, qualities) {
    const ranges = [type, 'image/*', '*/*'];
    for (let index = 0; index < ranges.length; index += 1) {
        if (qualities[ranges[index]] !== undefined) {
            return qualities[ranges[index]];
        }
    }
    return 0;
}

function qualitiesOf(accept) {
    const qualities = Object.create(null);
    accept.toLowerCase().split(',').forEach((element) => {
        const parts = element.split(';');
        const quality = qualityIn(parts.slice(1));
        const range = parts[0].trim();
        if (quality !== null && !(qualities[range] >= quality)) {
            qualities[range] = quality;
        }
    });
    return qualities;
}

function qualityIn(parameters) {
    for (let index = 0; index < parameters.length; index += 1) {
        const at = parameters[index].indexOf('=');
        const name = at < 0 ? parameters[index] : parameters[index].slice(0, at);
        if (name.trim() === 'q') {
            return numberIn(at < 0 ? '' : parameters[index].slice(at + 1).trim());
        }
    }
    return 1;
}

function numberIn(text) {
    if (!/^[0-9.]{1,5}$/.test(text) || isNaN(text) || Number(text) > 1) {
        return null;
    }
    return Number(text);
}

function nothingHere() {
    return {
        statusCode: 404,
        statusDescription: 'Not Found',
        headers: {
            'content-type': {value: 'text/plain; charset=utf-8'},
            'cache-control': {value: 'public, max-age=10'},
        },
        body: 'Nothing lies here; pictures lie under /i/.\n',
    };
}
