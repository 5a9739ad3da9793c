"""Rule packs that come with Airshed; see ``rules.loading.load_pack``."""
