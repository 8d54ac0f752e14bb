from rest_framework_simplejwt.serializers import TokenObtainPairSerializer


class ShopTokenObtainPairSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user):
        token = super().get_token(user)
        token["name"] = user.username
        token["roles"] = ["customer"]
        return token

    def validate(self, attrs):
        data = super().validate(attrs)
        data["name"] = self.user.username
        return data
