// CloudFront runs this for every request under /i/*/t/*, before its cache (runtime cloudfront-js-2.0, at most 10,240
// bytes). It lets in what is signed by a secret that lies in the key value store, or of a size that lies there too, and has
// the one canonical spelling of it asked for, which is the key of the result in the assets bucket and of the copy at the
// edge. Everything else ends here. The same as darkroom/edge/gatekeeper.py, darkroom/edge/signatures.py,
// darkroom/transform/options.py and darkroom/edge/negotiation.py: tests/infra/test_transformation_request.py runs both on
// one table, and on whatever else it can think of.
//
// Where the options are wrong the path is left as it is: there is no object of that name, so the render function is
// asked, which says what is wrong with them. It is told in X-Darkroom-Path what was asked for, and verifies it again.
//
// In the store a secret lies under its id, and all of them, where they are few, under "-": for who names none. A size that
// needs no signature lies under "-320x0" (0: as it comes out). No secret has an id with "-" in it.
//
// What stands in capitals between underscores comes in when the stack is packaged.
import cf from 'cloudfront';
import crypto from 'crypto';

const SECRETS = cf.kvs();
const WIDTHS = __WIDTHS__;
const QUALITY = __QUALITY__;
const POINTS = __POINTS__;
const SEEKING = __SEEKING__;
const CHOICES = __CHOICES__;
const SIDE = __SIDE__;
const ANY = '-';
const LONGEST = 472;
const MOST_OPTIONS = 400;
const DIGITS = /^[0-9]{1,5}$/;
const PLAIN = ['width', 'height', 'dpr', 'fit', 'gravity', 'kid', 'exp'];
const ADDRESS = /^\/i\/([0-7][0-9a-hjkmnp-tv-z]{25})\/t\/([\x00-.0-\x7f]+)\/(u|[sf][\w-]{22})\.(jpg|png|webp|avif|gif|auto)$/;
const NOT_SIGNED = 'the address is not signed for this picture; have it signed by POST /v1/sign, and do not change it';
const OVER = 'this address was good until a moment that has passed; ask for a new one';

const READERS = {
    width: whole(1, SIDE),
    height: whole(1, SIDE),
    fit: (text) => oneOf(['inside', 'cover', 'contain', 'fill'], text),
    gravity: gravity,
    crop: crop,
    rotate: (text) => oneOf(['90', '180', '270'], text),
    flip: (text) => oneOf(['h', 'v'], text),
    quality: whole(1, 100),
    background: (text) => /^[0-9a-fA-F]{6}$/.test(text) ? text.toLowerCase() : null,
    blur: between(0.3, 100),
    sharpen: between(0.1, 10),
    grayscale: yes,
    bitonal: yes,
    dpr: between(1, 4),
    enlarge: yes,
    kid: (text) => /^[a-z0-9]{1,16}$/.test(text) ? text : null,
    exp: (text) => /^[0-9]{1,11}$/.test(text) ? text : null,
};

async function handler(event) {
    const request = event.request;
    const asked = request.uri.length > 3 * LONGEST ? null : split(decoded(request.uri));
    if (asked === null || !await (asked.signature === 'u' ? isOpen(asked) : isSigned(asked))) {
        return refused('bad-signature', NOT_SIGNED);
    }
    const given = read(asked.options);
    request.headers['x-darkroom-path'] = {value: request.uri};
    request.cookies = {};
    request.querystring = {};
    if (given === null) {
        return request;
    }
    if (given.exp !== undefined) {
        if (given.exp <= Math.floor(Date.now() / 1000)) {
            return refused('expired', OVER);
        }
        // For the function that sees the answer; no origin is told of it.
        request.querystring = {exp: {value: given.exp}};
    }
    const name = asked.extension === 'auto' ? chosen(request.headers.accept) : asked.extension;
    request.uri = '/i/' + asked.id + '/t/' + canonical(given, asked.extension) + '.' + name;
    return request;
}

// ---- whose it is

function split(path) {
    const found = path.length > LONGEST ? null : ADDRESS.exec(path);
    return found && {id: found[1], options: found[2], signature: found[3], extension: found[4]};
}

// A size that the operator allows, and nothing else about the picture.
async function isOpen(asked) {
    const given = read(asked.options);
    if (given === null || Object.keys(given).some((name) => PLAIN.indexOf(name) < 0)) {
        return false;
    }
    const isNamed = (kept(framed(given), given.gravity) || '').indexOf(':') < 0;
    return isNamed && await held('-' + (given.width || 0) + 'x' + (given.height || 0)) !== null;
}

async function isSigned(asked) {
    const parts = asked.options.split(',');
    const kids = parts.filter((part) => part.startsWith('kid='));
    const kid = kids.length === 1 ? READERS.kid(kids[0].slice(4)) : ANY;
    const kind = asked.signature[0];
    let options = asked.options;
    if (kid === null) {
        return false;
    }
    if (kind === 'f') {
        const widths = parts.filter((part) => part.startsWith('width='));
        if (widths.length !== 1 || WIDTHS.map(String).indexOf(widths[0].slice(6)) < 0) {
            return false;
        }
        options = parts.map((part) => part === widths[0] ? 'width=*' : part).join(',');
    }
    const secrets = await held(kid);
    const message = asked.id + '/' + options + '.' + asked.extension;
    return secrets !== null &&
        secrets.split(',').filter((secret) => equal(asked.signature, kind + mac(secret, message))).length > 0;
}

async function held(name) {
    try {
        return await SECRETS.get(name);
    } catch (error) {
        return null; // there is none of this name
    }
}

function mac(secret, message) {
    const digest = crypto.createHmac('sha256', Buffer.from(secret, 'base64url')).update(message).digest('hex');
    return Buffer.from(digest.slice(0, 32), 'hex').toString('base64url');
}

function equal(one, other) {
    let different = one.length ^ other.length;
    for (let index = 0; index < other.length; index += 1) {
        different |= one.charCodeAt(index) ^ other.charCodeAt(index);
    }
    return different === 0;
}

// ---- what it says

function read(options) {
    const given = {};
    if (options.length > MOST_OPTIONS) {
        return null;
    }
    const parts = options.split(',');
    for (let index = 0; index < parts.length; index += 1) {
        const at = parts[index].indexOf('=');
        const name = parts[index].slice(0, at);
        if (at < 0 || !owns(READERS, name) || owns(given, name)) {
            return null;
        }
        given[name] = READERS[name](parts[index].slice(at + 1));
        if (given[name] === null) {
            return null;
        }
    }
    return multiplied(given);
}

function multiplied(given) {
    if (given.dpr === undefined) {
        return given;
    }
    if (given.width === undefined && given.height === undefined) {
        return null;
    }
    given.width = times(given.width, given.dpr);
    given.height = times(given.height, given.dpr);
    return given.width > SIDE || given.height > SIDE ? null : given;
}

function times(side, dpr) {
    return side === undefined ? side : Math.floor((side * Math.round(dpr * 100) + 50) / 100);
}

function canonical(given, extension) {
    const fit = framed(given);
    const turned = (Number(given.rotate || 0) + (given.flip === 'v' ? 180 : 0)) % 360;
    const upside = given.flip && turned === 180;
    const printed = {
        width: given.width,
        height: given.height,
        fit: fit,
        gravity: kept(fit, given.gravity),
        crop: given.crop,
        rotate: upside || turned === 0 ? undefined : turned,
        flip: upside ? 'v' : given.flip && 'h',
        quality: isDefault(given.quality, extension) ? undefined : given.quality,
        background: given.background === 'ffffff' && extension === 'jpg' ? undefined : given.background,
        blur: given.blur,
        sharpen: given.sharpen,
        grayscale: given.bitonal ? undefined : given.grayscale,
        bitonal: given.bitonal,
        enlarge: given.width || given.height ? given.enlarge : undefined,
    };
    const names = Object.keys(printed).filter((name) => printed[name] !== undefined);
    return names.map((name) => name + '=' + printed[name]).join(',') || 'fit=inside';
}

function framed(given) {
    return given.width && given.height && given.fit !== 'inside' ? given.fit : undefined;
}

function kept(fit, place) {
    const cuts = fit === 'cover' || (fit === 'contain' && place !== 'center' && SEEKING.indexOf(place) < 0);
    return cuts ? place : undefined;
}

function isDefault(quality, extension) {
    return extension !== 'auto' && (!owns(QUALITY, extension) || QUALITY[extension] === quality);
}

// ---- one reader for each option: what it comes to, or null

function whole(least, most) {
    return (text) => DIGITS.test(text) && isWithin(text, least, most) ? Number(text) : null;
}

function between(least, most) {
    return (text) => {
        const number = plain(text, 2);
        return number !== null && isWithin(number, least, most) ? number : null;
    };
}

function isWithin(number, least, most) {
    return number >= least && number <= most;
}

function oneOf(allowed, text) {
    return allowed.indexOf(text) < 0 ? null : text;
}

function yes(text) {
    return oneOf(['1'], text);
}

function gravity(text) {
    if (SEEKING.indexOf(text) >= 0 || owns(POINTS, text)) {
        return text;
    }
    const at = text.indexOf(':');
    const across = plain(text.slice(0, at), 4);
    const down = plain(text.slice(at + 1), 4);
    if (at < 0 || across === null || down === null || across > 1 || down > 1) {
        return null;
    }
    const point = across + ':' + down;
    const named = Object.keys(POINTS).filter((name) => POINTS[name] === point);
    return named.length === 1 ? named[0] : point;
}

function crop(text) {
    const parts = text.split(':');
    const fits = parts.every((part) => DIGITS.test(part) && part <= 65535);
    return fits && parts.length === 4 && parts[2] > 0 && parts[3] > 0 ? parts.map(Number).join(':') : null;
}

function plain(text, decimals) {
    const found = /^([0-9]{1,3})(?:\.([0-9]+))?$/.exec(text);
    if (found === null || (found[2] || '').length > decimals) {
        return null;
    }
    const rest = (found[2] || '').replace(/0+$/, '');
    return Number(found[1]) + (rest === '' ? '' : '.' + rest);
}

// ---- which formats a reader is given: for pictures that are still, that one can see through, and that move

function chosen(accept) {
    const qualities = qualitiesIn(accept);
    return CHOICES.map((formats) => extension(formats, qualities)).join('-');
}

//__NEGOTIATION__

// ---- and the rest

function owns(object, name) {
    return Object.prototype.hasOwnProperty.call(object, name);
}

function decoded(uri) {
    try {
        return decodeURIComponent(uri);
    } catch (error) {
        return '';
    }
}

function refused(code, detail) {
    const problem = {type: 'about:blank', title: 'Forbidden', status: 403, detail: detail, code: code};
    return {
        statusCode: 403,
        headers: {
            'content-type': {value: 'application/problem+json'},
            'cache-control': {value: 'no-store'},
            'x-content-type-options': {value: 'nosniff'},
            'access-control-allow-origin': {value: '*'},
            'cross-origin-resource-policy': {value: 'cross-origin'},
        },
        body: JSON.stringify(problem),
    };
}
