"""What runs at CloudFront's edge; each file stands alone, because nothing else can be taken there."""
