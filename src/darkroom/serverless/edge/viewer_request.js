// CloudFront runs this for every request, before its cache (runtime cloudfront-js-2.0, at most 10,240 bytes).
//
// It makes of a path without extension the path of one picture, by the Accept header, so that the cache is keyed by path
// alone; and it gives every path that can name no picture the same name, so that nonsense costs the bucket one request
// in ten seconds at most. The same as darkroom/edge/paths.py and darkroom/edge/negotiation.py:
// tests/infra/test_viewer_function.py runs both on one table, and on whatever else it can think of.
//
// The recipes come in when the stack is packaged: {"medium": [["image/avif", "avif"], ["image/jpeg", "jpg"]], …}; so
// does negotiation.js, in the place of its name.
const FORMATS = __FORMATS__;

const NOTHING = '/i/-';
const LONGEST = 100;
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
    return path + '.' + extension(FORMATS[found[1]], qualitiesIn(accept));
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

//__NEGOTIATION__

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
