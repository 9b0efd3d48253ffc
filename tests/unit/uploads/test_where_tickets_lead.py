"""Where pages have to be let send to, as the client that signs tickets has it."""

from urllib.parse import urlsplit

import pytest

from darkroom.uploads.presigned import connect, where_tickets_lead


@pytest.fixture
def _keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "uploads.s3.eu-west-1.amazonaws.com"),
        ("us-east-1", "uploads.s3.us-east-1.amazonaws.com"),
        ("cn-north-1", "uploads.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_on_aws_it_is_the_bucket_s_own_host_in_its_region(region, host):
    client = connect(region=region)
    assert where_tickets_lead(client, "uploads") == f"https://{host}/originals/"
    for call, more in (("put_object", {}), ("upload_part", {"UploadId": "u", "PartNumber": 1})):
        ticket = client.generate_presigned_url(call, Params={"Bucket": "uploads", "Key": "originals/one"} | more)
        assert ticket.startswith(f"https://{host}/originals/one?")
        assert urlsplit(ticket).netloc == host
    client.close()


@pytest.mark.usefixtures("_keys")
def test_at_an_endpoint_of_its_own_it_is_one_bucket_of_it():
    client = connect(endpoint="http://127.0.0.1:9000", region="eu-west-1")
    assert where_tickets_lead(client, "uploads") == "http://127.0.0.1:9000/uploads/originals/"
    client.close()
