// Which format a reader is given, from the Accept header: the same as darkroom/edge/negotiation.py. No function by itself:
// the packaging puts it into those that need it.
const ACCEPT_MAX = 1000;

function qualitiesIn(header) {
    const all = header === undefined ? [] : header.multiValue === undefined ? [header] : header.multiValue;
    const accept = all.map((one) => one.value).join(', ');
    return accept.length > ACCEPT_MAX ? {} : qualitiesOf(accept);
}

function extension(formats, qualities) {
    const last = formats[formats.length - 1];
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
