// CloudFront runs this for every answer below 400 under /i/*/t/*, on its way to the reader (runtime cloudfront-js-2.0).
//
// A result comes from the bucket for ever and for everybody; an address may have an end. So nobody keeps the answer
// beyond that, as on one machine. And the bucket can say of an object in headers of its own names only that the picture
// kept was smaller than what was asked for: readers are told by the name that it has everywhere.
function handler(event) {
    const response = event.response;
    const headers = response.headers;
    const end = event.request.querystring.exp;
    const kept = headers['cache-control'];
    if (end !== undefined && kept !== undefined) {
        const left = Math.max(0, Number(end.value) - Math.floor(Date.now() / 1000));
        kept.value = kept.value.replace(/(max-age|s-maxage)=([0-9]+)/g, (whole, name, seconds) =>
            name + '=' + Math.min(left, Number(seconds)));
    }
    const smaller = headers['x-amz-meta-not-enlarged'];
    if (smaller !== undefined) {
        headers['x-not-enlarged'] = {value: smaller.value};
        delete headers['x-amz-meta-not-enlarged'];
    }
    return response;
}
